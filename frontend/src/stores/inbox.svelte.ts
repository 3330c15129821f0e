/** The mails of the current address: the list, its filters, its marks, and deleting with a way back. */

import { belongs, merged, queryFor, type Filter } from '../lib/rows';
import { inWords } from '../lib/refusal';
import type { Flags, FlagsEvent, InboxPage, MailRow } from '../lib/wire';
import { t } from '../texts';
import { tell } from './alerts.svelte';
import { notices, UNDO_MS } from './notices.svelte';
import { prefs } from './prefs.svelte';
import { session } from './session.svelte';

/** A search is sent when the fingers rest this long. */
const TYPING_MS = 180;

/** Mails that are deleted at a time: somebody who opens one meanwhile is not to wait behind a hundred. */
const AT_ONCE = 4;

/** Changes elsewhere within this time are answered by one look at the list. */
const GATHER_MS = 200;

interface Deletion {
  rows: readonly MailRow[];
  /** The key of the mailbox that they lie in. */
  token: string;
  timer: ReturnType<typeof setTimeout>;
}

class Inbox {
  rows = $state.raw<readonly MailRow[]>([]);
  filter = $state<Filter>('all');
  words = $state('');
  count = $state(0);
  unread = $state(0);
  more = $state.raw<number | null>(null);
  loaded = $state(false);
  loading = $state(false);
  trouble = $state('');
  /** New mails that wait behind the pill, so that the list does not move under the pointer. */
  held = $state.raw<readonly MailRow[]>([]);
  /** The row that has just come in, tinted for a moment. */
  fresh = $state.raw<ReadonlySet<number>>(new Set());
  /** The mails that are chosen, while several are to be chosen. */
  chosen = $state.raw<ReadonlySet<number> | null>(null);
  /** The list says here whether it is being pointed into or scrolled. */
  busy: () => boolean = () => false;
  /** Whoever shows one mail hears of its marks here. */
  marked: (ids: readonly number[], flags: Flags) => void = () => undefined;

  private hidden = $state.raw<ReadonlySet<number>>(new Set());
  private deletions: Deletion[] = [];
  /** Deleted from here, and gone. */
  private readonly deleted = new Set<number>();
  private soon: ReturnType<typeof setTimeout> | undefined;
  /** How often a list has been taken over. */
  private lists = 0;
  private request: AbortController | null = null;
  private typing: ReturnType<typeof setTimeout> | undefined;
  private newestSeen = 0;
  /** What has come while a list was on its way: that list may have been read before. */
  private meanwhile: MailRow[] = [];

  readonly shown = $derived(this.hidden.size === 0 ? this.rows : this.rows.filter((row) => !this.hidden.has(row.id)));
  readonly isEmptyMailbox = $derived(
    this.loaded && !this.trouble && this.filter === 'all' && this.words === '' && this.rows.length === 0 && this.more === null,
  );

  /** Begins with another address. */
  begin(): void {
    this.flushDeletions(false);
    this.request?.abort();
    clearTimeout(this.typing);
    this.rows = [];
    this.held = [];
    this.filter = 'all';
    this.words = '';
    this.count = this.unread = this.newestSeen = 0;
    this.more = null;
    this.loaded = false;
    this.trouble = '';
    this.chosen = null;
    void this.load();
  }

  /** Begins choosing, takes a mail in, or lets it go. */
  pick(id: number): void {
    const chosen = new Set(this.chosen);
    if (!chosen.delete(id)) chosen.add(id);
    this.chosen = chosen;
  }

  choose(filter: Filter): void {
    if (this.filter === filter) return;
    this.filter = filter;
    this.restart();
  }

  search(words: string): void {
    if (words.trim() === this.words) return;
    this.words = words.trim();
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.restart(), TYPING_MS);
  }

  /**
   * The newest page again, merged into what is shown: after a break of the line, or while there is none. False when
   * nobody answered; `quietly` what is shown stays then.
   */
  async refresh(quietly = false): Promise<boolean> {
    const before = this.loaded ? this.newestSeen : Infinity;
    const answered = await this.load(this.loaded, quietly);
    for (const row of this.all().filter((one) => one.id > before && !one.seen).slice(0, 3).reverse()) this.announce(row);
    return answered;
  }

  async load(keep = false, quietly = false): Promise<boolean> {
    this.request?.abort();
    const request = (this.request = new AbortController());
    this.loading = true;
    this.meanwhile = [];
    try {
      const page = await session.api.inbox({ limit: prefs.value.page, ...queryFor(this.filter, this.words) }, request.signal, quietly);
      if (request.signal.aborted) return true;
      const newest = page.results[0]?.id ?? 0;
      const missed = this.meanwhile.filter((row) => row.id > newest);
      const oldest = page.results.at(-1)?.id ?? 0;
      // A refresh keeps older pages; what is missing among the newest is gone.
      const older = keep && page.next_before_id !== null ? this.rows.filter((row) => row.id < oldest) : [];
      const rows = merged(page.results, [...missed.filter((row) => belongs(row, this.filter)), ...older]);
      // What has not been shown yet goes behind the pill while the list must not move.
      const top = keep && this.busy() ? (this.rows[0]?.id ?? Infinity) : Infinity;
      this.rows = rows.filter((row) => row.id <= top);
      this.held = rows.filter((row) => row.id > top);
      this.more = older.length > 0 ? this.more : page.next_before_id;
      this.counted(page);
      this.tally(missed, 1);
      this.newestSeen = Math.max(this.newestSeen, rows[0]?.id ?? 0);
      this.loaded = true;
      this.trouble = '';
      return true;
    } catch (error) {
      if (request.signal.aborted) return true;
      if (!(quietly && this.loaded)) this.trouble = inWords(error);
      void session.noticed(error);
      return false;
    } finally {
      if (this.request === request) this.loading = false;
    }
  }

  async loadOlder(): Promise<void> {
    if (this.more === null || this.loading) return;
    const request = (this.request = new AbortController());
    this.loading = true;
    try {
      const query = { limit: prefs.value.page, ...queryFor(this.filter, this.words), before_id: this.more };
      const page = await session.api.inbox(query, request.signal);
      if (request.signal.aborted) return;
      this.rows = merged(page.results, this.rows);
      this.more = page.next_before_id;
      this.counted(page);
    } catch (error) {
      if (!request.signal.aborted) notices.complain(inWords(error));
    } finally {
      if (this.request === request) this.loading = false;
    }
  }

  /** A mail has come, or an older one has changed (its code was found). */
  arrived(row: MailRow): void {
    if (this.all().some((one) => one.id === row.id)) {
      this.rows = this.rows.map((one) => (one.id === row.id ? row : one));
      this.held = this.held.map((one) => (one.id === row.id ? row : one));
      return;
    }
    if (row.id <= this.newestSeen) return;
    this.newestSeen = row.id;
    if (this.loading) this.meanwhile.push(row);
    this.tally([row], 1);
    this.announce(row);
    if (this.words !== '') void this.load(true);
    else if (belongs(row, this.filter)) {
      if (this.rows.length > 0 && this.busy()) this.held = [row, ...this.held];
      else this.show([row]);
    }
  }

  /** Lets the held mails into the list. */
  release(): void {
    const held = this.held;
    this.held = [];
    if (held.length > 0) this.show(held);
  }

  /** Marks made elsewhere: another tab, another program. */
  flagsChanged(event: FlagsEvent): void {
    const { ids, ...flags } = event;
    this.apply(ids, flags);
    this.lookAt(ids);
  }

  gone(ids: readonly number[]): void {
    this.lookAt(ids.filter((id) => !this.deleted.has(id)));
    const lost = this.all().filter((row) => ids.includes(row.id));
    this.rows = this.rows.filter((row) => !ids.includes(row.id));
    this.held = this.held.filter((row) => !ids.includes(row.id));
    const stillCounted = lost.filter((row) => !this.hidden.has(row.id));
    this.count = Math.max(0, this.count - stillCounted.length);
    this.unread = Math.max(0, this.unread - stillCounted.filter((row) => !row.seen).length);
  }

  /** Sets marks at once and tells the service; what it refuses is taken back. */
  async mark(ids: readonly number[], flags: Flags): Promise<void> {
    const before = this.rows.filter((row) => ids.includes(row.id));
    this.apply(ids, flags);
    try {
      await session.api.mark(ids, flags);
    } catch (error) {
      for (const row of before) {
        const back = Object.fromEntries(Object.keys(flags).map((name) => [name, row[name as keyof Flags]]));
        this.apply([row.id], back as Flags);
      }
      notices.complain(inWords(error));
      void session.noticed(error);
    }
  }

  /** Out of sight now, gone in some seconds: until then there is a way back. */
  remove(ids: readonly number[]): void {
    const rows = this.rows.filter((row) => ids.includes(row.id) && !this.hidden.has(row.id));
    this.chosen = null;
    if (rows.length === 0) return;
    this.hidden = new Set([...this.hidden, ...rows.map((row) => row.id)]);
    this.tally(rows, -1);
    const deletion: Deletion = {
      rows,
      token: session.current?.jwt ?? '',
      timer: setTimeout(() => void this.finish(deletion, false), UNDO_MS),
    };
    this.deletions.push(deletion);
    notices.offerUndo(t('deleted', { n: rows.length }), 'trash', () => this.restore(deletion));
  }

  /** Takes the latest deletion back. */
  undo(): void {
    const latest = this.deletions.at(-1);
    if (latest) this.restore(latest);
  }

  /** Deletes now what still waits: the page or the address is being left. */
  flushDeletions(leaving: boolean): void {
    for (const deletion of [...this.deletions]) void this.finish(deletion, leaving);
  }

  private restore(deletion: Deletion): void {
    clearTimeout(deletion.timer);
    if (!this.deletions.includes(deletion)) return;
    this.deletions = this.deletions.filter((one) => one !== deletion);
    this.unhide(deletion.rows);
    notices.dismiss();
    notices.announce(t('deleted.undone', { n: deletion.rows.length }));
  }

  private async finish(deletion: Deletion, leaving: boolean): Promise<void> {
    clearTimeout(deletion.timer);
    this.deletions = this.deletions.filter((one) => one !== deletion);
    const { lists } = this;
    const { rows, token } = deletion;
    const back: MailRow[] = [];
    let failure: unknown;
    let next = 0;
    const work = async () => {
      for (let row = rows[next++]; row; row = rows[next++]) {
        try {
          await session.api.deleteMail(row.id, token, leaving);
          this.deleted.add(row.id);
        } catch (error) {
          failure = error;
          back.push(row);
        }
      }
    };
    // A page that goes away has no time to ask one after the other.
    await Promise.all(Array.from({ length: leaving ? rows.length : AT_ONCE }, work));
    this.rows = this.rows.filter((row) => !this.deleted.has(row.id));
    this.hidden = new Set([...this.hidden].filter((id) => !this.deleted.has(id)));
    if (token !== session.current?.jwt) return;
    if (failure) {
      this.unhide(back);
      notices.complain(t('deleted.failed', { n: back.length, why: inWords(failure) }));
    }
    // A list that came meanwhile may have counted some of them.
    if (lists !== this.lists && !leaving) void this.load(true, true);
  }

  private counted(page: InboxPage): void {
    this.count = page.count;
    this.unread = page.unread;
    this.lists += 1;
    // The service still counts what can be taken back.
    for (const { rows, token } of this.deletions) if (token === session.current?.jwt) this.tally(rows, -1);
  }

  private unhide(rows: readonly MailRow[]): void {
    const ids = new Set(rows.map((row) => row.id));
    this.hidden = new Set([...this.hidden].filter((id) => !ids.has(id)));
    this.tally(rows, 1);
  }

  /** Counts rows in or out, as far as they are among what is counted. */
  private tally(rows: readonly MailRow[], sign: 1 | -1): void {
    // What stands in the list was counted in, also if it belongs there no longer.
    const counted = rows.filter((row) => this.rows.some((one) => one.id === row.id) || (!this.words && belongs(row, this.filter)));
    this.count = Math.max(0, this.count + sign * counted.length);
    this.unread = Math.max(0, this.unread + sign * rows.filter((row) => !row.seen).length);
  }

  private apply(ids: readonly number[], flags: Flags): void {
    this.marked(ids, flags);
    for (const row of this.all()) {
      if (!ids.includes(row.id) || flags.seen === undefined || flags.seen === row.seen) continue;
      this.unread = Math.max(0, this.unread + (flags.seen ? -1 : 1));
    }
    const marked = (row: MailRow) => (ids.includes(row.id) ? { ...row, ...flags } : row);
    this.rows = this.rows.map(marked);
    this.held = this.held.map(marked);
  }

  /** What the list knows of: shown, and behind the pill. */
  private all(): readonly MailRow[] {
    return [...this.held, ...this.rows];
  }

  /** What happened to mails that the list does not know changes what is counted, or what belongs into it. */
  private lookAt(ids: readonly number[]): void {
    const known = new Set(this.all().map((row) => row.id));
    if (!this.loaded || ids.every((id) => known.has(id))) return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => (this.loading ? this.lookAt(ids) : void this.load(true, true)), GATHER_MS);
  }

  private show(rows: readonly MailRow[]): void {
    this.rows = merged(rows, this.rows);
    this.fresh = new Set(rows.map((row) => row.id));
  }

  private restart(): void {
    this.rows = [];
    this.held = [];
    this.more = null;
    this.loaded = false;
    void this.load();
  }

  private announce(row: MailRow): void {
    const from = row.from_name || row.from_address || t('sender.none');
    const subject = row.subject || t('subject.none');
    notices.announce(row.code ? t('arrived.code', { from, subject, code: row.code }) : t('arrived', { from, subject }));
    void tell(from, row.code ? `${row.code} · ${subject}` : subject, row.id);
  }
}

export const inbox = new Inbox();
