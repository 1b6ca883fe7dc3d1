/** Remote operations by method and path below the API's base. */
const operations: [method: string, path: RegExp, name: string][] = [
  ['GET', /\/projects$/, 'listProjects'],
  ['POST', /\/projects$/, 'createProject'],
  ['GET', /\/projects\/[^/]+$/, 'getProject'],
  ['POST', /\/projects\/[^/]+\/jobs$/, 'createJob'],
  ['GET', /\/projects\/[^/]+\/jobs$/, 'listJobs'],
  ['GET', /\/jobs\/[^/]+$/, 'getJob'],
  ['POST', /\/jobs\/[^/]+\/resume$/, 'resumeJob'],
  ['POST', /\/jobs\/[^/]+\/cancel$/, 'cancelJob'],
  ['POST', /\/jobs\/[^/]+\/files$/, 'uploadFiles'],
  ['POST', /\/jobs\/[^/]+\/uploads$/, 'registerUploads'],
  ['POST', /\/jobs\/[^/]+\/uploads\/complete$/, 'completeUploads'],
  ['GET', /\/jobs\/[^/]+\/result$/, 'getJobResult'],
  ['GET', /\/jobs\/[^/]+\/artifact$/, 'getJobArtifact'],
  ['PUT', /\/parts\/\d+$/, 'putPart'],
  ['PUT', /\/uploads\//, 'putObject'],
];

/** The name of a remote call; one that is not known is named by itself, so that it is seen to be missing from the catalogue. */
export function operationOf(method: string, path: string): string {
  return operations.find(([of, pattern]) => of === method && pattern.test(path))?.[2] ?? `${method} ${path.replaceAll(/\/[^/]*\d[^/]*/g, '/*')}`;
}

/** What kind of object a key of the store names: without batch, job, document and digest. */
export function keyClass(key: string): string {
  const parts = key.split('/');
  if (parts[0] === 'ledger') return 'ledger/*';
  if (parts[0] === 'batches' || parts[0] === 'work') return classBelow(parts.slice(2), parts[0]);
  return parts.map((part) => part.replaceAll(/\d+/g, '*')).join('/');
}

/** Folders of a job whose objects are all of one kind. */
const collections = new Set(['artifacts', 'registrations', 'sent', 'sent-parts', 'archived', 'followups']);

function classBelow(parts: string[], top: string): string {
  const rest = parts[0] === 'jobs' ? parts.slice(2) : parts;
  if (rest.length === 0) return parts.length === 0 ? `${top}/*` : `${top}/*/jobs/*`;
  return collections.has(rest[0]!) ? `${rest[0]}/*` : rest.join('/').replaceAll(uuid, '*').replaceAll(/\d+/g, '*');
}

const uuid = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g;
