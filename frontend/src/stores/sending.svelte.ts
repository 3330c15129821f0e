/** Handing drafts over, also while something else is looked at. Comes with the composer. */

import type { Draft } from '../lib/draft';
import { base64 } from '../lib/files';
import { inWords, Refusal, Unreachable } from '../lib/refusal';
import { draftFault } from '../lib/sendable';
import { submission } from '../lib/submission';
import type { Accepted, Submission } from '../lib/wire';
import { t } from '../texts';
import { drafts } from './drafts.svelte';
import { inbox } from './inbox.svelte';
import { notices } from './notices.svelte';
import { place } from './place.svelte';
import { reader } from './reader.svelte';
import { sent } from './sent.svelte';
import { session } from './session.svelte';

/** Reading from disk is quick; the upload gets most of the bar. */
const READING = 0.1;

interface Way {
  share: number;
  stop: AbortController;
}

class Sending {
  private ways = $state.raw<ReadonlyMap<string, Way>>(new Map());

  constructor() {
    // The browser asks whether the page may go.
    addEventListener('beforeunload', (event) => this.ways.size > 0 && event.preventDefault());
  }

  /** How much of a draft is on its way, from 0 to 1 over reading and upload; null when it is not being sent. */
  share(id: string): number | null {
    return this.ways.get(id)?.share ?? null;
  }

  stop(id: string): void {
    this.ways.get(id)?.stop.abort();
  }

  /** Sends the draft and says what became of it; what the composer has to say itself is returned. */
  async send(draft: Draft): Promise<string | null> {
    const { id } = draft;
    const stop = new AbortController();
    const at = (share: number) => (this.ways = new Map(this.ways).set(id, { share, stop }));
    at(0);
    try {
      const lacking = await Promise.race([drafts.coming.get(id), given(stop.signal)]);
      if (lacking) return told(id, lacking);
      // What came in meanwhile goes along.
      draft = drafts.find(id) ?? draft;
      const fault = draftFault(draft);
      if (fault) return told(id, t(`draft.${fault}`));
      await sendDraft(draft, at, stop.signal);
      if (draft.answers !== null && draft.from === session.current?.address) {
        if (reader.mail?.id === draft.answers) void reader.mark({ answered: true });
        else void inbox.mark([draft.answers], { answered: true });
      }
      notices.say(t('sent.done', { subject: draft.subject || t('subject.none') }), 'send');
      void sent.load();
      if (isWatched(id)) place.replace({ view: 'sent', id: null });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') notices.announce(t('sent.stopped'));
      else {
        void session.noticed(error);
        return told(id, inWords(error));
      }
    } finally {
      this.ways = new Map([...this.ways].filter(([one]) => one !== id));
    }
    return null;
  }
}

export const sending = new Sending();

/** What the composer has to say; somebody who has gone elsewhere hears that nothing was sent. */
function told(id: string, why: string): string | null {
  const words = t('sent.failed', { why });
  if (isWatched(id)) return words;
  notices.complain(words);
  return null;
}

/** Never resolves; rejects when it is given up. */
function given(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}

function isWatched(id: string): boolean {
  return place.route.view === 'compose' && place.route.draft === id;
}

/** Sends and forgets the draft. */
async function sendDraft(draft: Draft, progress: (share: number) => void, signal: AbortSignal): Promise<Accepted> {
  const contents = new Map<string, string>();
  // Another address may be chosen meanwhile.
  const token = session.book.list.find((entry) => entry.address === draft.from)?.jwt;
  for (const [at, file] of draft.files.entries()) {
    const blob = await drafts.blobOf(file);
    if (!blob) throw new Error(`missing file ${file.name}`);
    contents.set(file.id, await base64(blob, (share) => progress((READING * (at + share)) / draft.files.length)));
    signal.throwIfAborted();
  }
  const accepted = await upload(submission(draft, contents), draft.key, token, (share) => progress(READING + (1 - READING) * share), signal);
  drafts.remove(draft.id);
  await drafts.forget(draft);
  return accepted;
}

/**
 * Hands over one mail. The same `idempotencyKey` may be sent again without sending twice.
 * XMLHttpRequest, because only it tells how much of an upload has gone.
 */
function upload(mail: Submission, idempotencyKey: string, token: string | undefined, progress: (share: number) => void, signal: AbortSignal): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/send_mail');
    const headers = session.api.headers({ 'Idempotency-Key': idempotencyKey }, token);
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
