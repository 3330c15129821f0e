/** Sent mail and what became of it, per recipient. */

import { inWords } from '../lib/refusal';
import type { DeliveryState, SentEvent, SentMail, SentRow } from '../lib/wire';
import { session } from './session.svelte';

export type SentFilter = 'all' | 'moving' | 'failed';

const MOVING: readonly DeliveryState[] = ['queued', 'sending', 'deferred'];

export function isMoving(row: SentRow): boolean {
  return row.recipients.some((recipient) => MOVING.includes(recipient.state));
}

export function hasFailed(row: SentRow): boolean {
  return row.recipients.some((recipient) => recipient.state === 'failed');
}

/** Events within this time are answered by one look at the list. */
const GATHER_MS = 200;

class Sent {
  rows = $state.raw<readonly SentRow[]>([]);
  count = $state(0);
  more = $state.raw<number | null>(null);
  filter = $state<SentFilter>('all');
  loaded = $state(false);
  loading = $state(false);
  trouble = $state('');
  opened = $state.raw<SentMail | null>(null);
  openedId = $state<number | null>(null);
  openedTrouble = $state('');
  /** Deleted just now, with a way back: no list that is read meanwhile shows them again. */
  hidden = $state.raw<ReadonlySet<number>>(new Set());
  private soon: ReturnType<typeof setTimeout> | undefined;

  private readonly there = $derived(this.hidden.size === 0 ? this.rows : this.rows.filter((row) => !this.hidden.has(row.id)));
  readonly moving = $derived(this.there.filter(isMoving).length);
  readonly failed = $derived(this.there.filter(hasFailed).length);
  readonly shown = $derived(
    this.filter === 'all' ? this.there : this.there.filter(this.filter === 'moving' ? isMoving : hasFailed),
  );

  begin(): void {
    this.rows = [];
    this.count = 0;
    this.more = null;
    this.filter = 'all';
    this.loaded = false;
    this.trouble = '';
    this.close();
  }

  async load(): Promise<void> {
    const address = session.current?.address;
    this.loading = true;
    try {
      const page = await session.api.sent();
      if (session.current?.address !== address) return;
      // Older pages that were asked for stay.
      const last = page.results.at(-1)?.id ?? 0;
      const older = page.next_before_id === null ? [] : this.rows.filter((row) => row.id < last);
      this.rows = [...page.results, ...older];
      this.count = page.count;
      if (older.length === 0) this.more = page.next_before_id;
      this.loaded = true;
      this.trouble = '';
    } catch (error) {
      this.trouble = inWords(error);
      void session.noticed(error);
    } finally {
      this.loading = false;
    }
  }

  async loadOlder(): Promise<void> {
    if (this.more === null || this.loading) return;
    this.loading = true;
    try {
      const page = await session.api.sent({ before_id: this.more });
      this.rows = [...this.rows, ...page.results.filter((row) => !this.rows.some((one) => one.id === row.id))];
      this.more = page.next_before_id;
    } catch (error) {
      this.trouble = inWords(error);
    } finally {
      this.loading = false;
    }
  }

  async open(id: number): Promise<void> {
    if (this.openedId !== id) this.opened = null;
    this.openedId = id;
    this.openedTrouble = '';
    try {
      const mail = await session.api.sentMail(id);
      if (this.openedId !== id) return;
      this.opened = mail;
    } catch (error) {
      if (this.openedId === id) this.openedTrouble = inWords(error);
    }
  }

  close(): void {
    this.opened = null;
    this.openedId = null;
    this.openedTrouble = '';
  }

  /** The queue has moved: the row says so at once; what the event does not tell is asked for. */
  moved(event: SentEvent): void {
    const { recipient: address, recipient_state: state, last_reply: reply } = event;
    const known = this.rows.find((row) => row.id === event.id);
    if (known && address !== undefined && state !== undefined) {
      const recipients = known.recipients.map((one) => (one.address === address ? { ...one, state, last_reply: reply ?? one.last_reply } : one));
      this.rows = this.rows.map((row) => (row.id === event.id ? { ...row, state: event.state, recipients } : row));
    }
    // A list that is on its way was perhaps read before this happened.
    const stale = this.loading || (this.loaded && (!known || state === undefined || state === 'deferred'));
    if (stale) this.loadSoon();
    if (this.openedId === event.id) void this.open(event.id);
  }

  /** One question for many events: a mail to a hundred people moves a hundred times. */
  private loadSoon(): void {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => (this.loading ? this.loadSoon() : void this.load()), GATHER_MS);
  }
}

export const sent = new Sent();
