/**
 * Where everything lies in the store: the archive's layout, in one place.
 * A key is relative to the archive, with `/` between parts.
 */

/** Folder of a batch. */
export const batchFolder = (batchId: string): string => `batches/${batchId}`;
/** Folder of a batch's working files: intents, sealed registrations, upload ledgers, follow-ups. */
export const workFolder = (batchId: string): string => `work/${batchId}`;

/** An id from outside as a part of a key, or several: as it is where that is a plain name, else in hex, since it may be anything at all. */
function partOf(id: string): string {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(id)) return id;
  const spelled = Array.from(id, (character) => character.codePointAt(0)!.toString(16).padStart(6, '0')).join('');
  return (spelled.match(/.{1,180}/g) ?? ['']).map((part) => `~${part}`).join('/');
}

/** The ledger's entry of a content in a project. */
export const ledgerKey = (projectId: string, sha256: string): string => `ledger/${partOf(projectId)}/${sha256.slice(0, 2)}/${sha256}.json`;

/** A job's number as its folder and workflow id spell it: at least five digits. */
export const jobName = (job: number): string => String(job).padStart(5, '0');

/** Files of a batch. */
export const batchKeys = (batchId: string) => {
  const at = (name: string) => `${batchFolder(batchId)}/${name}`;
  return {
    input: at('input.json'),
    planLines: at('plan.jsonl'),
    plan: at('plan.json'),
    manifestLines: at('manifest.jsonl'),
    manifest: at('manifest.json'),
    jobs: at('jobs'),
    followUps: `${workFolder(batchId)}/followups`,
    followUp: (job: number) => `${workFolder(batchId)}/followups/${jobName(job)}.json`,
  };
};

/** Files of one job, in the archive and in `work/`. */
export const jobKeys = (batchId: string, job: number) => {
  const folder = `${batchFolder(batchId)}/jobs/${jobName(job)}`;
  const work = `${workFolder(batchId)}/jobs/${jobName(job)}`;
  return {
    folder,
    /** `folder` as manifest lines spell it: relative to the batch's folder. */
    relative: `jobs/${jobName(job)}`,
    job: `${folder}/job.json`,
    result: `${folder}/result.json`,
    artifacts: `${folder}/artifacts`,
    files: `${folder}/files.jsonl`,
    documents: `${folder}/documents.jsonl`,
    work,
    /** The create call's key, body and time, written before the first POST. */
    intent: `${work}/intent.json`,
    /** The remote job that the create call made. */
    remote: `${work}/remote.json`,
    /** Sealed upload instructions, one file a registered slice. */
    registrations: `${work}/registrations`,
    /** What has been sent: one object a group of documents that were sent together, and one a part. */
    sent: `${work}/sent`,
    /** Upload's account of each document: sent under which documentId, or why not. */
    uploads: `${work}/uploads.jsonl`,
    /** What passed by while the result was archived, in its order: artifacts, documents, usage. */
    extract: `${work}/extract.jsonl`,
    /** Artifacts archived so far, in slices of files.jsonl's lines: spares hashing them again. */
    archived: `${work}/archived`,
    /** What the result says of each document, its archived artifacts included. */
    results: `${work}/results.jsonl`,
  };
};
