import type { Classification } from '../contract/batch';

/** Whether a path below the source's root is meant. */
export type PathTest = (path: string) => boolean;
/** Makes a test of a glob. */
export type GlobCompiler = (glob: string) => PathTest;

/** The classification of the first rule whose glob matches; null when none does, and Plangrep classifies by itself. */
export function classifier(
  rules: readonly { glob: string; classification: Classification }[],
  compile: GlobCompiler,
): (path: string) => Classification | null {
  const tests = rules.map((rule) => ({ matches: compile(rule.glob), classification: rule.classification }));
  return (path) => tests.find((test) => test.matches(path))?.classification ?? null;
}

/** What `include` and `exclude` leave. */
export interface Selection {
  /** Is a file of this path input? It matches some `include`, or there is none, and no `exclude`. */
  selects: PathTest;
  /** Does an `exclude` take this path out? */
  excludes: PathTest;
  /** Every path is selected. */
  everything: boolean;
}

/** See {@link Selection}. An empty `include` is as good as none. */
export function selection(include: readonly string[], exclude: readonly string[], compile: GlobCompiler): Selection {
  const wanted = include.map(compile);
  const unwanted = exclude.map(compile);
  const excludes = (path: string) => unwanted.some((matches) => matches(path));
  return {
    excludes,
    selects: (path) => (wanted.length === 0 || wanted.some((matches) => matches(path))) && !excludes(path),
    everything: wanted.length === 0 && unwanted.length === 0,
  };
}
