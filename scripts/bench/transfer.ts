import type { UploadAnswer, UploadRequest } from './children/upload';
import type { Measured, MemoryUse } from './children/measure';
import { figure, type Figure, type Figures } from './figures';

/** Growth of a worker that the design allows, in bytes. */
const growthBudgetBytes = 64 * 2 ** 20;

/** Sends jobs at once in a process of their own. */
export type Send = (batches: UploadRequest['batches']) => Promise<Measured<UploadAnswer>>;

/** How much more memory the measured processes had at any moment than before: the largest of them, beside the design's budget. */
export function growthFigures(memories: MemoryUse[]): { growthBytes: Figure; processPeakBytes: Figure } {
  return {
    growthBytes: figure(Math.max(...memories.map(({ peakBytes, beforeBytes }) => peakBytes - beforeBytes)), 'bytes', {
      budget: growthBudgetBytes,
      note: `resident${memories.length > 1 ? `, the largest of ${memories.length} processes` : ''}, over what it held after a small job`,
    }),
    processPeakBytes: figure(Math.max(...memories.map(({ processPeakBytes }) => processPeakBytes)), 'bytes'),
  };
}

/** What one process's upload comes to. */
export function transferFigures({ value: { bytes, bytesReceived }, seconds, cpuSeconds, memory }: Measured<UploadAnswer>): Figures {
  return {
    bytes: figure(bytes, 'bytes'),
    bytesReceived: figure(bytesReceived, 'bytes', { budget: bytes, note: 'by the server: every byte once' }),
    bytesPerSecond: figure(bytes / seconds, 'bytes/s'),
    seconds: figure(seconds, 's'),
    cpuSeconds: figure(cpuSeconds, 's'),
    ...growthFigures([memory]),
  };
}

/** Figures of a part of a benchmark. */
export const prefixed = (prefix: string, figures: Figures): Figures => Object.fromEntries(Object.entries(figures).map(([name, of]) => [`${prefix}/${name}`, of]));
