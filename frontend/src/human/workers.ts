/** Several workers at one challenge; the first answer ends them all. */

import type { Challenge, Solution } from './work';

/** More gain little, and a phone gets warm. */
const MOST_WORKERS = 4;

export async function solveTogether(challenge: Challenge, signal: AbortSignal): Promise<Solution> {
  const count = Math.min(MOST_WORKERS, Math.max(1, navigator.hardwareConcurrency || 1));
  const workers = Array.from({ length: count }, () => new Worker(new URL('./work.worker.ts', import.meta.url), { type: 'module' }));
  try {
    return await new Promise<Solution>((resolve, reject) => {
      let left = count;
      const fail = () => --left === 0 && reject(new Error('The proof of work failed'));
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      for (const [start, worker] of workers.entries()) {
        worker.onmessage = (message: MessageEvent<Solution | null>) => (message.data ? resolve(message.data) : fail());
        worker.onerror = fail;
        worker.postMessage({ challenge, start, step: count });
      }
    });
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
