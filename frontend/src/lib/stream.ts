/** The one open line to the service. It opens itself again after any break, and says where it stands. */

import type { Api } from './api';
import { isGone, Refusal } from './refusal';
import { EventParser, pause, type ServerEvent } from './sse';

/** The service says something at least every 15 s; after this long the line is dead. */
const SILENCE_MS = 40_000;

export type LineState =
  | { is: 'opening' }
  | { is: 'open'; since: Date }
  | { is: 'waiting'; until: number }
  | { is: 'offline' }
  | { is: 'closed' };

export interface Listener {
  state(state: LineState): void;
  event(event: ServerEvent): void;
  /** The line is open (again): what happened meanwhile has to be asked for. */
  opened(again: boolean): void;
  /** The token is no longer good; the line stays closed. */
  gone(): void;
}

export class EventLine {
  private readonly end = new AbortController();
  private wake: (() => void) | null = null;

  constructor(
    private readonly api: Api,
    private readonly listener: Listener,
    /** Behind which event to begin; nothing begins now. */
    private lastEventId = '',
  ) {}

  /** Behind which event the next line would begin. */
  get position(): string {
    return this.lastEventId;
  }

  open(): void {
    addEventListener('online', this.tryNow, { signal: this.end.signal });
    void this.run();
  }

  close(): void {
    this.end.abort();
    this.tryNow();
  }

  readonly tryNow = (): void => this.wake?.();

  private async run(): Promise<void> {
    let attempt = 0;
    let again = false;
    while (!this.end.signal.aborted) {
      this.listener.state({ is: 'opening' });
      try {
        await this.listen(() => {
          attempt = 0;
          this.listener.state({ is: 'open', since: new Date() });
          this.listener.opened(again);
          again = true;
        });
      } catch (error) {
        if (this.end.signal.aborted) break;
        if (isGone(error)) {
          this.listener.gone();
          break;
        }
        // An id that the service no longer knows must not keep us out for ever.
        if (error instanceof Refusal && error.status === 400) this.lastEventId = '';
      }
      if (this.end.signal.aborted) break;
      await this.rest(pause(attempt++, Math.random()));
    }
    this.listener.state({ is: 'closed' });
  }

  private async listen(opened: () => void): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.end.signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    // A line of a network that is gone would be silent for long before it breaks.
    addEventListener('offline', () => silence.abort(), { signal });
    try {
      const answer = await this.api.events(this.lastEventId, signal);
      if (!answer.body) return;
      opened();
      const parser = new EventParser();
      parser.lastId = this.lastEventId;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const events = parser.feed(value);
        // The position also comes alone, before anything has happened.
        this.lastEventId = parser.lastId;
        for (const event of events) this.listener.event(event);
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  private rest(milliseconds: number): Promise<void> {
    const offline = navigator.onLine === false;
    this.listener.state(offline ? { is: 'offline' } : { is: 'waiting', until: Date.now() + milliseconds });
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      this.wake = done;
      function done() {
        clearTimeout(timer);
        resolve();
      }
    });
  }
}
