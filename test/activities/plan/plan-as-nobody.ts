import { planDocuments } from '../../../src/activities/plan';
import type { PlanLine } from '../../../src/contract/archive';
import { batchInputSchema } from '../../../src/contract/batch';

// Everything is loaded as whoever runs the tests; the folder is read as nobody, since root may read all.
if (process.getuid!() === 0) process.setuid!(65534);

const lines: PlanLine[] = [];
const input = batchInputSchema.parse({ project: 'p', source: { folder: process.argv[2] } });
void planDocuments(input, { sink: (line) => void lines.push(line) }).then(() =>
  process.stdout.write(JSON.stringify(Object.fromEntries(lines.map(({ source, job, reason }) => [source, job ?? reason!.code])))),
);
