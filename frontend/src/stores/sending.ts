/** Handing a draft over. Comes with the composer. */

import type { Draft } from '../lib/draft';
import { base64 } from '../lib/files';
import { Refusal, Unreachable } from '../lib/refusal';
import { submission } from '../lib/submission';
import type { Accepted, Submission } from '../lib/wire';
import { drafts } from './drafts.svelte';
import { session } from './session.svelte';

/** Reading from disk is quick; the upload gets most of the bar. */
const READING = 0.1;

/** Sends and forgets the draft. `progress` runs from 0 to 1 over reading and upload. */
export async function sendDraft(draft: Draft, progress: (share: number) => void, signal: AbortSignal): Promise<Accepted> {
  const contents = new Map<string, string>();
  for (const [at, file] of draft.files.entries()) {
    const blob = await drafts.blobOf(file);
    if (!blob) throw new Error(`missing file ${file.name}`);
    contents.set(file.id, await base64(blob, (share) => progress((READING * (at + share)) / draft.files.length)));
    signal.throwIfAborted();
  }
  const accepted = await upload(submission(draft, contents), draft.key, (share) => progress(READING + (1 - READING) * share), signal);
  drafts.remove(draft.id);
  await drafts.forget(draft);
  return accepted;
}

/**
 * Hands over one mail. The same `idempotencyKey` may be sent again without sending twice.
 * XMLHttpRequest, because only it tells how much of an upload has gone.
 */
function upload(mail: Submission, idempotencyKey: string, progress: (share: number) => void, signal: AbortSignal): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/send_mail');
    const headers = session.api.headers({ 'Idempotency-Key': idempotencyKey });
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status < 200 || request.status > 299) {
        reject(new Refusal(request.status, request.responseText, request.getResponseHeader('X-Error-Code')));
        return;
      }
      try {
        resolve(JSON.parse(request.responseText) as Accepted);
      } catch {
        reject(new Refusal(request.status, 'The answer was not understood.', null));
      }
    };
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(new DOMException('Sending was stopped', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(JSON.stringify(mail));
  });
}
