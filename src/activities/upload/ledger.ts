import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { JobRef } from '../../contract/activities';
import { jobKeys } from '../../contract/keys';
import { externalId } from '../../contract/messages';
import { findJson, readBytes, readJson } from '../../store/jsonl';
import type { Dependencies } from '../dependencies';
import { GroupCommit } from './group-commit';

const instructionSchema = z.discriminatedUnion('mode', [
  z.object({
    mode: z.literal('direct_put'),
    documentId: z.string(),
    uploadToken: z.string(),
    url: z.string().nullable(),
    headers: z.record(z.string(), z.string()),
    expiresAt: z.string().nullable(),
  }),
  z.object({
    mode: z.literal('multipart'),
    documentId: z.string(),
    uploadToken: z.string(),
    multipartUploadId: z.string(),
    expiresAt: z.string().nullable(),
    parts: z.array(z.object({ partNumber: z.number().int(), url: z.string(), startByte: z.number().int(), endByte: z.number().int() })),
  }),
]);

const registrationSchema = z.object({
  seq: z.number().int(),
  sha256: z.string(),
  sizeBytes: z.number().int(),
  /** In which the file was hashed; null when it does not show a change. */
  state: z.object({ mtimeMs: z.number(), ctimeMs: z.number(), inode: z.string() }).nullish(),
  instruction: instructionSchema,
});
/** A registered document: what Plangrep wants sent where. Holds secrets, so it is stored sealed. */
export type Registration = z.infer<typeof registrationSchema>;

const sliceSchema = z.array(registrationSchema);
const sentSchema = z.object({
  documentId: z.string().nullable(),
  etag: z.string().nullable(),
  sha256: z.string().nullable().default(null),
  /** It turned out to have changed meanwhile: it must not be processed. */
  changed: z.boolean().optional(),
});
/** What is kept of a sent document or part. */
export type Sent = z.infer<typeof sentSchema>;

const sentDocumentSchema = sentSchema.extend({ seq: z.number().int() });
type SentDocument = z.infer<typeof sentDocumentSchema>;

/** A multipart record for the completion call. */
export interface SentPart {
  partNumber: number;
  etag: string;
}

/** Longest sealed slice that is read back, in bytes: 100 documents with signed part URLs. */
const maxSliceBytes = 64 * 1024 * 1024;

/** Room that is asked for before a registration, in bytes a file: more than an instruction for one takes, sealed. */
const roomBytes = 4 * 1024;

/**
 * What one job has registered and sent, in the store: it survives the process at any moment. A document or part counts as
 * sent once its record is written, and only for the registration it was sent under. Records of documents that end while another
 * one is written are written together, under names that no other process uses.
 */
export class Ledger {
  /** The newest registration of each document. */
  readonly registrations = new Map<number, Registration>();
  /** Documents registered and given up since: they count against the job's limits and are declared failed at its completion. */
  readonly superseded: Registration[] = [];
  private readonly keys;
  private readonly sent: SentDocument[] = [];
  private readonly commits = new GroupCommit<SentDocument>((documents) => this.writeSent(documents));
  private slices = 0;

  private constructor(
    private readonly deps: Pick<Dependencies, 'store' | 'seal'>,
    private readonly ref: JobRef,
  ) {
    this.keys = jobKeys(ref.batchId, ref.job);
  }

  /** The ledger as earlier attempts left it. */
  static async open(deps: Pick<Dependencies, 'store' | 'seal'>, ref: JobRef): Promise<Ledger> {
    const ledger = new Ledger(deps, ref);
    for await (const { key } of deps.store.list(ledger.keys.registrations)) {
      const sealed = (await readBytes(deps.store, key, maxSliceBytes)).toString();
      ledger.add(sliceSchema.parse(JSON.parse(deps.seal.open(sealed, ledger.context))));
      ledger.slices += 1;
    }
    for await (const { key } of deps.store.list(ledger.keys.sent)) ledger.sent.push(...(await readSent(deps, key)));
    return ledger;
  }

  /**
   * Fails when a full disk would lose the answer to a registration: what was registered would count against the job's limits, and after a few
   * tries its documents would have no room in their own job.
   */
  async makeRoom(files: number): Promise<void> {
    const key = `${this.keys.work}/room-${randomUUID()}`;
    // Nothing that a file system could store in less.
    await this.deps.store.write(key, randomBytes(files * roomBytes));
    await this.deps.store.remove(key);
  }

  /** Keeps a slice's instructions before its first byte is sent. */
  async register(slice: Registration[]): Promise<void> {
    const sealed = this.deps.seal.seal(JSON.stringify(slice), this.context);
    // The URLs of several documents expire together: each of them registers again, at the same time as the others.
    for (let written = false; !written; ) {
      this.slices += 1;
      written = await this.deps.store.createIfAbsent(`${this.keys.registrations}/${String(this.slices).padStart(5, '0')}`, sealed, { secret: true });
    }
    this.add(slice);
  }

  /** The record of a document sent under this registration (or by form, with any), or null. */
  sentDocument(seq: number): Sent | null {
    const current = this.registrations.get(seq)?.instruction.documentId;
    return this.sent.findLast((one) => one.seq === seq && (current === undefined || one.documentId === current)) ?? null;
  }

  /** Records a document as sent. */
  async markSent(seq: number, sent: Sent): Promise<void> {
    await this.commits.add({ seq, ...sent });
  }

  /** The parts sent under the document's newest registration, in order. */
  async sentParts({ seq, instruction }: Registration): Promise<SentPart[]> {
    if (instruction.mode !== 'multipart') return [];
    const parts: SentPart[] = [];
    for (const { partNumber } of instruction.parts) {
      const sent = await findJson(this.deps.store, this.partKey(seq, partNumber), sentSchema);
      if (sent?.etag && sent.documentId === instruction.documentId) parts.push({ partNumber, etag: sent.etag });
    }
    return parts;
  }

  /** Records a part as sent. */
  async markPart({ seq, instruction }: Registration, { partNumber, etag }: SentPart): Promise<void> {
    await this.deps.store.write(this.partKey(seq, partNumber), JSON.stringify({ documentId: instruction.documentId, etag }));
  }

  /** Files and bytes registered so far, given up or not: all of them count against the job's limits (/api-reference/uploads/register-uploads). */
  registered(): { files: number; bytes: number } {
    const all = [...this.registrations.values(), ...this.superseded];
    return { files: all.length, bytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  private add(slice: Registration[]): void {
    for (const registration of slice) {
      const earlier = this.registrations.get(registration.seq);
      if (earlier && earlier.instruction.documentId !== registration.instruction.documentId) this.superseded.push(earlier);
      this.registrations.set(registration.seq, registration);
    }
  }

  /** Sealed slices open only for the job they were sealed for. */
  private get context(): string {
    return externalId(this.ref.batchId, this.ref.job, 1);
  }

  private async writeSent(documents: SentDocument[]): Promise<void> {
    await this.deps.store.createIfAbsent(`${this.keys.sent}/${Date.now()}-${randomUUID()}`, JSON.stringify(documents));
    this.sent.push(...documents);
  }

  private partKey(seq: number, part: number): string {
    return `${this.keys.sent}-parts/${seq}/${part}`;
  }
}

/** One record, or several. Version 0.1.0 wrote one an object, under the document's number. */
async function readSent({ store }: Pick<Dependencies, 'store'>, key: string): Promise<SentDocument[]> {
  const name = key.slice(key.lastIndexOf('/') + 1);
  if (!/^\d+$/.test(name)) return readJson(store, key, z.array(sentDocumentSchema));
  return [{ seq: Number(name), ...(await readJson(store, key, sentSchema)) }];
}
