/** The mail that is open. */

import { carriedPictures } from '../lib/pictures';
import { safeFilename, saveBlob } from '../lib/files';
import { inWords, Refusal, Unreachable } from '../lib/refusal';
import type { Flags, Mail, Part, Verdicts } from '../lib/wire';
import { t } from '../texts';
import { inbox } from './inbox.svelte';
import { notices } from './notices.svelte';
import { prefs } from './prefs.svelte';
import { session } from './session.svelte';

/** Where a mail comes from is found out after it was taken: within this time as a rule. */
const LOOKED_AT_MS = 2000;

class Reader {
  id = $state<number | null>(null);
  mail = $state.raw<Mail | null>(null);
  remote = $state(false);
  asText = $state(false);
  loading = $state(false);
  trouble = $state('');
  /** There is no such mail: asking again would not help. */
  missing = $state(false);
  pictures = $state.raw<ReadonlyMap<string, string>>(new Map());

  private request: AbortController | null = null;

  /** Once more, after trouble. */
  async again(): Promise<void> {
    if (this.id !== null && this.trouble && !this.missing && !this.loading) await this.openHere(this.id);
  }

  async open(id: number): Promise<void> {
    if (this.id === id && (this.mail || this.loading)) return;
    this.close();
    this.id = id;
    this.asText = prefs.value.asText;
    await this.openHere(id);
  }

  private async openHere(id: number): Promise<void> {
    await this.fetch(prefs.value.remote);
    if (this.id === id && this.mail && !this.mail.seen) await this.mark({ seen: true });
  }

  close(): void {
    this.request?.abort();
    this.id = null;
    this.mail = null;
    this.remote = false;
    this.asText = false;
    this.trouble = '';
    this.missing = false;
    this.pictures = new Map();
  }

  /** The reader has asked for the pictures that lie elsewhere. */
  async showRemote(): Promise<void> {
    await this.fetch(true);
  }

  async mark(flags: Flags): Promise<void> {
    if (this.mail) await inbox.mark([this.mail.id], flags);
  }

  constructor() {
    inbox.marked = (ids, flags) => {
      if (this.mail && ids.includes(this.mail.id)) this.mail = { ...this.mail, ...flags };
    };
  }

  async saveAttachment(part: Part): Promise<void> {
    if (!this.mail) return;
    try {
      saveBlob(await session.api.attachment(this.mail.id, part.index), part.filename || t('attachment.unnamed', { n: part.index + 1 }));
    } catch (error) {
      notices.complain(inWords(error));
    }
  }

  /** Puts an attachment where the service keeps files; it stays there when the mail goes. */
  async keepAttachment(part: Part): Promise<void> {
    if (!this.mail) return;
    const key = safeFilename(part.filename || t('attachment.unnamed', { n: part.index + 1 }));
    try {
      const blob = await session.api.attachment(this.mail.id, part.index);
      const { url } = await session.api.json<{ url: string }>('POST', '/api/attachment/put_url', { key });
      const answer = await fetch(url, { method: 'PUT', body: blob, credentials: 'omit', referrerPolicy: 'no-referrer' }).catch(() => {
        throw new Unreachable();
      });
      if (!answer.ok) throw new Refusal(answer.status, await answer.text().catch(() => ''), null);
      notices.say(t('file.kept', { name: key }));
    } catch (error) {
      notices.complain(inWords(error));
    }
  }

  async saveRaw(): Promise<void> {
    if (!this.mail) return;
    try {
      saveBlob(await session.api.raw(this.mail.id), `${this.mail.subject || 'mail'}.eml`);
    } catch (error) {
      notices.complain(inWords(error));
    }
  }

  private async fetch(remote: boolean): Promise<void> {
    const id = this.id;
    if (id === null) return;
    this.request?.abort();
    const request = (this.request = new AbortController());
    this.loading = true;
    this.trouble = '';
    try {
      const mail = await session.api.mail(id, remote, request.signal);
      if (request.signal.aborted) return;
      if (mail === null) {
        this.trouble = t('mail.missing');
        this.missing = true;
        return;
      }
      this.mail = mail;
      this.remote = remote;
      void carriedPictures(mail, (part) => session.api.attachment(id, part.index), request.signal).then((found) => {
        if (!request.signal.aborted && found.size > 0) this.pictures = found;
      });
      if (!mail.verdicts) setTimeout(() => void this.lookAgain(id), LOOKED_AT_MS);
    } catch (error) {
      if (request.signal.aborted) return;
      this.trouble = inWords(error);
      void session.noticed(error);
    } finally {
      if (this.request === request) this.loading = false;
    }
  }

  /** A mail that was opened at once had not been looked at then. */
  private async lookAgain(id: number): Promise<void> {
    if (this.mail?.id !== id || this.mail.verdicts) return;
    // Without an answer it stays unknown, as it is.
    const told = await session.api.json<{ verdicts: Verdicts | null }>('GET', `/api/mails/${id}/authentication`).catch(() => null);
    if (told?.verdicts && this.mail?.id === id) this.mail = { ...this.mail, verdicts: told.verdicts };
  }
}

export const reader = new Reader();
