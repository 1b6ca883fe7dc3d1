/** A file to be registered for a signed upload; /api-reference/uploads/register-uploads. */
export interface RegisterFile {
  /** Base name with extension, unique in its job. */
  fileName: string;
  contentType: string;
  /** Exact size in bytes, above 0. */
  fileSize: number;
  /** 64 lowercase hex digits. */
  sha256: string;
  classification?: string | null;
}

/** One signed part of a large file. */
export interface UploadPart {
  /** As the API numbers it; sent back unchanged. */
  partNumber: number;
  /** Signed, so a secret; needs no key. */
  url: string;
  startByte: number;
  /** Inclusive. */
  endByte: number;
}

/** How one registered file is sent, whatever names the API used. */
export type UploadInstruction =
  | {
      documentId: string;
      /** A secret. Empty for a file that is already stored when the API gave none. */
      uploadToken: string;
      mode: 'direct_put';
      /** Signed, so a secret. Null: the bytes are stored already, nothing is to be sent. */
      url: string | null;
      /** All of them go with the PUT, unchanged. */
      headers: Record<string, string>;
      /** Until when the URL works, ISO 8601; null when not said. */
      expiresAt: string | null;
    }
  | {
      documentId: string;
      /** A secret. */
      uploadToken: string;
      mode: 'multipart';
      multipartUploadId: string;
      /** The earliest end of any part's URL. */
      expiresAt: string | null;
      /** In order, without gap or overlap, from byte 0 to the file's last. */
      parts: UploadPart[];
    };

/** What became of the uploads; every registered file belongs in one of the lists. /api-reference/uploads/complete-uploads */
export interface CompleteUploads {
  /** The documents to process. Left out, it means all that were uploaded. */
  documentIds?: string[];
  directUploads?: { documentId: string; uploadToken: string }[];
  /** `etag` exactly as storage gave it, quotes included. */
  multipartUploads?: { documentId: string; multipartUploadId: string; uploadToken: string; parts: { partNumber: number; etag: string }[] }[];
  /** Registered files that will not come, and why. */
  failedUploads?: { documentId: string; error: string }[];
}
