import picomatch from 'picomatch';
import type { GlobCompiler } from '../../domain/classify';

/**
 * Globs over the whole path below the root: `*` stays within one part, `**` crosses parts, dots are nothing special, case
 * counts. Composed like the paths are; with `s`, since a name may hold a newline.
 */
export const compileGlob: GlobCompiler = (glob) => {
  const matches = picomatch(glob.normalize('NFC'), { dot: true, flags: 's' });
  return (path) => matches(path);
};
