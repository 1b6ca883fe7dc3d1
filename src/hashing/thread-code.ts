/**
 * What a hashing thread runs, as text: it has to start from `lib/`, from jest and from tsx alike, and only the first of them has a
 * compiled file to point a thread at.
 *
 * `{ id, fd, sizeBytes }` begins a file, `{ id, stop: true }` gives it up. It answers `{ id, bytes }` while bytes move, and in the end
 * with one of `{ id, sha256, sizeBytes }`, `{ id, error }` and `{ id, stopped: true }`; after that it never touches the descriptor again.
 *
 * Files take turns, in the order they came. A turn ends after `turnBytes` or `turnMs`, whichever comes first: so files below that are
 * done one after another, a huge one lets the others pass, and what is asked meanwhile is heard soon.
 */
export const threadCode = `
'use strict';
const { readSync } = require('node:fs');
const { createHash } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');

const buffer = Buffer.allocUnsafeSlow(workerData.bufferBytes);
const files = new Map();

parentPort.on('message', ({ id, fd, sizeBytes, stop }) => {
  if (stop) {
    // One that has answered already is not known any more.
    if (files.delete(id)) parentPort.postMessage({ id, stopped: true });
    return;
  }
  files.set(id, { fd, sizeBytes, bytes: 0, hash: createHash('sha256') });
  if (files.size === 1) setImmediate(turns);
});

function turns() {
  const [next] = files;
  if (next === undefined) return;
  const [id, file] = next;
  files.delete(id);
  const answer = turn(file);
  parentPort.postMessage({ id, ...answer });
  // Behind those that wait. Messages are heard before the next turn.
  if (answer.bytes !== undefined) files.set(id, file);
  if (files.size > 0) setImmediate(turns);
}

function turn(file) {
  const { turnBytes, turnMs } = workerData;
  const [startedAt, most] = [performance.now(), Math.min(file.sizeBytes, file.bytes + turnBytes)];
  try {
    while (file.bytes < most && performance.now() - startedAt < turnMs) {
      const read = readSync(file.fd, buffer, 0, Math.min(buffer.length, most - file.bytes), file.bytes);
      // The file has become shorter.
      if (read === 0) return end(file);
      file.hash.update(read === buffer.length ? buffer : buffer.subarray(0, read));
      file.bytes += read;
    }
  } catch (error) {
    return { error: { message: error.message, code: error.code, errno: error.errno, syscall: error.syscall } };
  }
  return file.bytes === file.sizeBytes ? end(file) : { bytes: file.bytes };
}

const end = (file) => ({ sha256: file.hash.digest('hex'), sizeBytes: file.bytes });
`;
