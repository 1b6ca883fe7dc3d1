import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as library from '../src/client';

const read = (file: string): string => readFileSync(join(__dirname, '../src', file), 'utf8');
/** Names of the values and types that a file exports by name. */
const exported = (text: string): string[] => [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) => list!.split(',').map((name) => name.replace(/^\s*(type )?/, '').trim())).filter(Boolean);
const declared = (text: string): string[] => [...text.matchAll(/^export (?:interface|class|const|function) (\w+)/gm)].map(([, name]) => name!);

test('import gives what require gives: every value and every type', () => {
  const names = exported(read('index.mts'));
  expect(names.filter((name) => name in library).sort()).toEqual(Object.keys(library).sort());
  const client = read('client.ts');
  expect(names.sort()).toEqual([...exported(client), ...declared(client)].sort());
});
