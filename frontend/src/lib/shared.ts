/**
 * One open line for all tabs that show the same mailbox.
 *
 * The tab that holds the lock of the mailbox keeps the line and tells the others what it hears; when that tab goes, the
 * next one gets the lock and goes on behind the last event that it was told of. Without locks (plain HTTP) every tab has
 * a line of its own.
 */

import type { Api } from './api';
import type { ServerEvent } from './sse';
import { EventLine, type LineState, type Listener } from './stream';

type Said =
  | { say: 'hello' }
  | { say: 'state'; state: LineState; at: string; open: boolean }
  | { say: 'event'; event: ServerEvent }
  | { say: 'opened' }
  | { say: 'try' }
  | { say: 'gone' };

/** The leading tab says something at least this often, and is taken for dead after three times as long. */
const BEAT_MS = 15_000;
const DEAD_MS = 45_000;

export class SharedLine {
  private readonly end = new AbortController();
  private readonly channel: BroadcastChannel | null;
  private readonly name: string;
  private line: EventLine | null = null;
  private waiting: AbortController | null = null;
  private release: (() => void) | null = null;
  private state: LineState = { is: 'opening' };
  /** Behind which event a line of ours would begin. */
  private at = '';
  private heard = Date.now();
  private greeted = false;

  constructor(
    address: string,
    private readonly api: Api,
    private readonly listener: Listener,
  ) {
    this.name = `mailbox.line.${address}`;
    this.channel = navigator.locks ? new BroadcastChannel(this.name) : null;
  }

  open(): void {
    if (!this.channel) return this.lead();
    const signal = this.end.signal;
    this.channel.onmessage = (message) => this.hear(message.data as Said);
    this.tell({ say: 'hello' });
    this.listener.state(this.state);
    const beat = setInterval(() => this.beat(), BEAT_MS);
    signal.addEventListener('abort', () => clearInterval(beat));
    // A page that lies in the browser's memory of pages hears nothing and must not hold the lock.
    addEventListener('pagehide', () => this.step(), { signal });
    addEventListener('pageshow', (shown) => shown.persisted && this.queue(false), { signal });
    this.queue(false);
  }

  close(): void {
    this.end.abort();
    this.step();
    this.channel?.close();
  }

  readonly tryNow = (): void => {
    if (this.line) this.line.tryNow();
    else this.tell({ say: 'try' });
  };

  /** Waits for the lock, or takes it from a tab that no longer speaks; keeps the line while it has it. */
  private queue(steal: boolean): void {
    this.waiting?.abort();
    const waiting = (this.waiting = new AbortController());
    const signal = AbortSignal.any([this.end.signal, waiting.signal]);
    navigator.locks
      .request(this.name, steal ? { steal } : { signal }, () => {
        if (signal.aborted) return undefined;
        this.lead();
        return new Promise<void>((resolve) => (this.release = resolve));
      })
      .catch(() => {
        // Another tab has taken it, or nobody waits any longer.
        if (signal.aborted) return;
        this.step();
        this.queue(false);
      });
  }

  /** Stops keeping the line, and waiting for it. */
  private step(): void {
    this.waiting?.abort();
    this.line?.close();
    this.line = null;
    this.release?.();
    this.release = null;
  }

  private lead(): void {
    const line: EventLine = new EventLine(
      this.api,
      {
        state: (state) => {
          if (this.line !== line) return;
          this.state = state;
          this.listener.state(state);
          this.tellState();
        },
        event: (event) => {
          this.at = event.id || this.at;
          this.listener.event(event);
          this.tell({ say: 'event', event });
        },
        opened: (again) => {
          this.listener.opened(again || this.greeted);
          this.greeted = true;
          this.tell({ say: 'opened' });
        },
        gone: () => {
          this.listener.gone();
          this.tell({ say: 'gone' });
        },
      },
      this.at,
    );
    this.line = line;
    line.open();
  }

  private hear(said: Said): void {
    this.heard = Date.now();
    switch (said.say) {
      case 'hello':
        if (this.line) this.tellState();
        break;
      case 'try':
        this.line?.tryNow();
        break;
      case 'state':
        if (this.line) break;
        this.at = said.at || this.at;
        this.state = said.state;
        this.listener.state(said.state);
        if (said.open) this.greet(false);
        break;
      case 'event':
        this.at = said.event.id || this.at;
        this.listener.event(said.event);
        break;
      case 'opened':
        this.greet(true);
        break;
      case 'gone':
        this.listener.gone();
    }
  }

  /** The line is open, wherever it ends: what happened before has to be asked for, once. */
  private greet(always: boolean): void {
    if (!always && this.greeted) return;
    this.listener.opened(this.greeted);
    this.greeted = true;
  }

  private beat(): void {
    if (this.line) this.tellState();
    else if (Date.now() - this.heard > DEAD_MS && document.visibilityState === 'visible') {
      this.heard = Date.now();
      this.queue(true);
    }
  }

  private tellState(): void {
    this.at = this.line?.position || this.at;
    this.tell({ say: 'state', state: this.state, at: this.at, open: this.state.is === 'open' });
  }

  private tell(said: Said): void {
    if (!this.end.signal.aborted) this.channel?.postMessage(said);
  }
}
