import { z } from 'zod';

/** A known weakness of a package that is installed. */
export interface Advisory {
  /** As the database of advisories calls it. */
  id: string;
  package: string;
  severity: string;
  title: string;
}

/** Advisories that were looked at and do not concern this project, each with the decision record that says why. */
export const answered: Readonly<Record<string, string>> = {};

const advisorySchema = z.object({ source: z.union([z.number(), z.string()]), name: z.string(), title: z.string(), url: z.string().optional(), severity: z.string() });
const reportSchema = z.object({
  auditReportVersion: z.literal(2),
  // A text names another package of the report, through which this one is concerned.
  vulnerabilities: z.record(z.string(), z.object({ via: z.array(z.union([z.string(), advisorySchema])) })),
});

/** The advisories of a report of `npm audit --json`, each once; null when it is none, because the registry did not say. */
export function readAdvisories(json: string): Advisory[] | null {
  const parsed = reportSchema.safeParse(parseJson(json));
  if (!parsed.success) return null;
  const found = new Map<string, Advisory>();
  for (const { via } of Object.values(parsed.data.vulnerabilities)) {
    for (const one of via) {
      if (typeof one === 'string') continue;
      const id = /GHSA-[\w-]+/.exec(one.url ?? '')?.[0] ?? String(one.source);
      found.set(`${id} ${one.name}`, { id, package: one.name, severity: one.severity, title: one.title });
    }
  }
  return [...found.values()];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
