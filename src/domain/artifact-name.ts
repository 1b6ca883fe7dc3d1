/** Longest name in bytes, folders included: short enough for every file system, and below Windows' limit for a whole path. */
export const maxArtifactNameBytes = 200;
const maxPartBytes = 80;
const maxExtensionBytes = 16;

/** Names of devices on Windows, with any extension. */
const device = /^(con|prn|aux|nul|conin|conout|com\d|lpt\d)(\.|$)/;
const plainFolder = /^[a-z0-9_-]+$/;
const plainFile = /^[a-z0-9_-][a-z0-9_-]*(\.[a-z0-9_-]+)+$/;
const fitsPart = (part: string): boolean => part.length <= maxPartBytes && !device.test(part);

const readable = (text: string): string => text.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, maxPartBytes) || '_';

function splitExtension(file: string): [stem: string, extension: string] {
  const match = /^(.+)(\.[A-Za-z0-9]+)$/s.exec(file);
  return match && match[2]!.length <= maxExtensionBytes ? [match[1]!, match[2]!] : [file, ''];
}

/**
 * The name below `artifacts/` for the artifact that the API calls `path`, which may be anything at all.
 *
 * A path of lower-case ASCII folders and a file with an extension stays as it is. Every part that is not like that gets a
 * readable form and `~` with a digest of what it stands for. So the name depends on the path alone, on no other artifact, and still:
 * it stays inside its folder, is valid on Linux, macOS and Windows, and two paths never share a name, also where case
 * or Unicode form do not count. Plain names hold no `~`; a plain folder holds no `.`, a plain file does, so none is both.
 *
 * @param digest of any text, at least 100 bits, as at most 40 lower-case letters and digits
 */
export function artifactName(path: string, digest: (text: string) => string): string {
  const parts = path.split('/');
  const file = parts.pop()!;
  const fileName = plainFile.test(file) && fitsPart(file) ? file : marked(file, digest(`file ${path}`));
  const folders = parts.map((part, depth) => {
    // What stands above a part counts: the same odd folder elsewhere is another one.
    return plainFolder.test(part) && fitsPart(part) ? part : `${readable(part)}~${digest(`folder ${parts.slice(0, depth + 1).join('/')}`)}`;
  });
  const name = [...folders, fileName].join('/');
  return name.length <= maxArtifactNameBytes ? name : marked(file, digest(`file ${path}`));
}

function marked(file: string, mark: string): string {
  const [stem, extension] = splitExtension(file);
  return `${readable(stem)}~${mark}${extension}`;
}
