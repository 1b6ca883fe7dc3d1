import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { lockedPackages } from './supply-chain/lock-file';
import { runScript } from './entry';

const help = `Usage: npm run --silent sbom -- [--dev] [--output FILE]

Writes a software bill of materials of the installed packages: CycloneDX 1.5 as JSON, with the digest and the licence of each.

  --dev          with the packages that only building and testing take
  --output FILE  default: standard output
`;

const root = resolve(__dirname, '..');
const bomSchema = z.looseObject({
  metadata: z.looseObject({ component: z.looseObject({ name: z.string(), 'bom-ref': z.string() }) }),
  components: z.array(z.looseObject({ name: z.string(), version: z.string(), 'bom-ref': z.string() })),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()).optional() })),
});
type Bom = z.infer<typeof bomSchema>;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { dev: { type: 'boolean' }, output: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) return void process.stdout.write(help);
  const whole = await named(await npmBom());
  const text = `${JSON.stringify(values.dev ? whole : await inUse(whole), null, 2)}\n`;
  if (values.output === undefined) process.stdout.write(text);
  else await writeFile(values.output, text);
}

/** What npm knows of everything that is installed. Told to leave out development's packages, it leaves out some that both use. */
async function npmBom(): Promise<Bom> {
  const { stdout } = await promisify(execFile)('npm', ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'], { cwd: root, maxBuffer: 64 * 2 ** 20 });
  return bomSchema.parse(JSON.parse(stdout));
}

/** npm names the project by its folder. */
async function named(bom: Bom): Promise<Bom> {
  const { name } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { name: string };
  return { ...bom, metadata: { ...bom.metadata, component: { ...bom.metadata.component, name } } };
}

async function inUse({ components, dependencies, metadata, ...bom }: Bom): Promise<Bom> {
  const used = new Set((await lockedPackages(root)).flatMap(({ name, version, dev }) => (dev ? [] : [`${name}@${version}`])));
  const kept = components.filter(({ name, version }) => used.has(`${name}@${version}`));
  const refs = new Set([metadata.component['bom-ref'], ...kept.map((component) => component['bom-ref'])]);
  const links = dependencies.flatMap(({ ref, dependsOn = [] }) => (refs.has(ref) ? [{ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }] : []));
  return { ...bom, metadata, components: kept, dependencies: links };
}

runScript(main);
