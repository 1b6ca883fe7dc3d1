/**
 * What the counting thread runs, as text: it has to start from `lib/`, from jest and from tsx alike, and only the first of
 * them has a compiled file to point a thread at. It therefore uses Node and the PDFium module it is given, nothing else.
 *
 * It answers each `{ path }` or `{ bytes }` with one of
 * - `{ pages }`;
 * - `{ invented }`: a page count that the document does not have;
 * - `{ error, header }`: PDFium's error code, and whether the start of the file has a PDF header;
 * - `{ tooLarge }`: the size in bytes;
 * - `{ io }`: a file system error;
 * - `{ crash }`: PDFium failed over this document and must not be used again;
 * - `{ broken }`: PDFium did not start at all;
 * and with `heapBytes`, the size of PDFium's memory, which only ever grows.
 */
export const workerCode = `
'use strict';
const fs = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');

const silent = () => undefined;
const ready = start();
// The first request reports it.
ready.catch(silent);

async function start() {
  const pdfium = await require(workerData.modulePath).PDFiumModule({ print: silent, printErr: silent });
  pdfium._FPDF_InitLibraryWithConfig(0);
  return pdfium;
}

// Opening a pipe would wait for a writer, so it is opened without waiting and refused.
function readInto(pdfium, path) {
  const file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const stat = fs.fstatSync(file);
    if (!stat.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' });
    if (stat.size > workerData.maxBytes) return { tooLarge: stat.size };
    const at = pdfium.wasmExports.malloc(stat.size + 1) >>> 0;
    if (at === 0) return { tooLarge: stat.size };
    try {
      let size = 0;
      for (let read = 1; read > 0 && size < stat.size; size += read) {
        read = fs.readSync(file, pdfium.HEAPU8, at + size, Math.min(stat.size - size, 1 << 24), size);
      }
      return { at, size };
    } catch (error) {
      pdfium.wasmExports.free(at);
      throw error;
    }
  } finally {
    fs.closeSync(file);
  }
}

function copyInto(pdfium, bytes) {
  if (bytes.length > workerData.maxBytes) return { tooLarge: bytes.length };
  const at = pdfium.wasmExports.malloc(bytes.length + 1) >>> 0;
  if (at === 0) return { tooLarge: bytes.length };
  pdfium.HEAPU8.set(bytes, at);
  return { at, size: bytes.length };
}

function count(pdfium, at, size) {
  const document = pdfium._FPDF_LoadMemDocument(at, size, 0);
  if (document === 0) {
    const start = Buffer.from(pdfium.HEAPU8.buffer, at, Math.min(size, 1024));
    return { error: pdfium._FPDF_GetLastError(), header: start.includes('%PDF-') };
  }
  const pages = pdfium._FPDF_GetPageCount(document);
  const invented = pages > workerData.believedPages && !hasPage(pdfium, document, pages - 1);
  pdfium._FPDF_CloseDocument(document);
  return invented ? { invented: pages } : { pages };
}

function hasPage(pdfium, document, index) {
  const size = pdfium.wasmExports.malloc(8);
  const found = pdfium._FPDF_GetPageSizeByIndexF(document, index, size);
  pdfium.wasmExports.free(size);
  return found !== 0;
}

function answer(pdfium, request) {
  let source;
  try {
    source = request.path === undefined ? copyInto(pdfium, request.bytes) : readInto(pdfium, Buffer.from(request.path));
  } catch (error) {
    if (typeof error.code !== 'string') throw error;
    return { io: { code: error.code, message: error.message } };
  }
  if (source.tooLarge !== undefined) return source;
  const result = count(pdfium, source.at, source.size);
  pdfium.wasmExports.free(source.at);
  return result;
}

async function serve(request) {
  let pdfium;
  try {
    pdfium = await ready;
  } catch (error) {
    return { broken: String(error && error.message), heapBytes: 0 };
  }
  try {
    return { ...answer(pdfium, request), heapBytes: pdfium.HEAPU8.length };
  } catch (error) {
    return { crash: String(error && error.message), heapBytes: 0 };
  }
}

parentPort.on('message', async (request) => parentPort.postMessage(await serve(request)));
`;
