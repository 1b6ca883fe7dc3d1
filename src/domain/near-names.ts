import { distance } from 'fastest-levenshtein';

/** At most `limit` of the names that resemble `wanted`, nearest first: equal but for case, one within the other, or a few edits away. */
export function nearNames(wanted: string, names: readonly string[], limit = 5): string[] {
  const target = wanted.toLowerCase();
  return names
    .map((name) => ({ name, edits: edits(target, name.toLowerCase()) }))
    .filter(({ edits: count }) => count <= Math.max(2, target.length / 3))
    .sort((a, b) => a.edits - b.edits || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map(({ name }) => name);
}

/** A name within the other counts as one edit. */
const edits = (a: string, b: string): number => (a !== b && (a.includes(b) || b.includes(a)) ? 1 : distance(a, b));
