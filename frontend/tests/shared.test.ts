import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Api } from '../src/lib/api';
import { SharedLine } from '../src/lib/shared';
import type { ServerEvent } from '../src/lib/sse';
import type { LineState } from '../src/lib/stream';

/** Tabs of one browser, as far as lines among them go: locks, a channel, a clock. */

type Work = () => Promise<void> | undefined;

/** Locks as browsers have them: one holds, others wait in their order, and one may steal. */
class Locks {
  private readonly held = new Map<string, { lost: (error: Error) => void }>();
  private readonly queues = new Map<string, (() => void)[]>();

  request(name: string, how: { steal?: boolean; signal?: AbortSignal }, work: Work): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        if (how.signal?.aborted) return this.next(name);
        const me = { lost: reject };
        this.held.set(name, me);
        void Promise.resolve(work()).then(() => {
          resolve();
          if (this.held.get(name) !== me) return;
          this.held.delete(name);
          this.next(name);
        });
      };
      how.signal?.addEventListener('abort', () => reject(new Error('AbortError')));
      const holder = this.held.get(name);
      if (!holder) begin();
      else if (how.steal) {
        holder.lost(new Error('AbortError'));
        begin();
      } else this.queues.set(name, [...(this.queues.get(name) ?? []), begin]);
    });
  }

  private next(name: string): void {
    const [first, ...rest] = this.queues.get(name) ?? [];
    this.queues.set(name, rest);
    first?.();
  }
}

class Channel {
  static open: Channel[] = [];
  onmessage: ((message: { data: unknown }) => void) | null = null;
  /** A tab that the browser has put to sleep says nothing. */
  asleep = false;

  constructor(private readonly name: string) {
    Channel.open.push(this);
  }

  postMessage(data: unknown): void {
    if (this.asleep) return;
    for (const other of Channel.open) if (other !== this && other.name === this.name && !other.asleep) other.onmessage?.({ data });
  }

  close(): void {
    Channel.open = Channel.open.filter((one) => one !== this);
  }
}

/** A tab with a line of its address; what it heard, and the lines that it opened at the service. */
class Tab {
  readonly heard: string[] = [];
  readonly states: string[] = [];
  /** Behind which events it opened lines. */
  readonly opened: string[] = [];
  says: (text: string) => void = () => undefined;
  private readonly line: SharedLine;
  readonly channel: Channel;

  constructor() {
    const api = {
      events: (after: string, signal: AbortSignal) => {
        this.opened.push(after);
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => {
            this.says = (text) => controller.enqueue(new TextEncoder().encode(text));
            signal.addEventListener('abort', () => controller.error(new Error('closed')));
          },
        });
        return Promise.resolve(new Response(body));
      },
    } as unknown as Api;
    this.line = new SharedLine('ann@x.example', api, {
      state: (state: LineState) => void this.states.push(state.is),
      event: (event: ServerEvent) => void this.heard.push(event.id),
      opened: () => undefined,
      gone: () => undefined,
    });
    this.line.open();
    this.channel = Channel.open.at(-1)!;
  }

  close(): void {
    this.line.close();
  }
}

const page = { visibilityState: 'visible' };
const tabs: Tab[] = [];
const tab = () => {
  const one = new Tab();
  tabs.push(one);
  return one;
};
const event = (id: string) => `id: ${id}\nevent: mail\ndata: {}\n\n`;
/** Time passes, and whatever it brings about is done. */
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

/** The service says something at least every 15 s; a silent line would be opened again. */
async function passWithPings(seconds: number, leader: Tab): Promise<void> {
  for (let left = seconds; left > 0; left -= 10) {
    leader.says(': ping\n\n');
    await pass(Math.min(10, left));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('navigator', { locks: new Locks(), onLine: true });
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('BroadcastChannel', Channel);
  page.visibilityState = 'visible';
});

afterEach(() => {
  for (const one of tabs.splice(0)) one.close();
  Channel.open = [];
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a line that tabs share', () => {
  it('is one, and all hear what comes over it', async () => {
    const [first, second] = [tab(), tab()];
    await pass(1);
    first.says(event('7'));
    await pass(1);
    expect([first.opened, second.opened]).toEqual([[''], []]);
    expect([first.heard, second.heard]).toEqual([['7'], ['7']]);
    expect(second.states.at(-1)).toBe('open');
  });

  it('is kept on by the next tab, behind the last event, when the first is closed', async () => {
    const [first, second] = [tab(), tab()];
    await pass(1);
    first.says(event('7'));
    await pass(1);
    first.close();
    await pass(1);
    expect(second.opened).toEqual(['7']);
  });

  it('is never taken from a tab that speaks', async () => {
    const [first, second] = [tab(), tab()];
    await pass(1);
    await passWithPings(3600, first);
    expect([first.opened, second.opened]).toEqual([[''], []]);
  });

  it('is taken after 45 seconds from a tab that says nothing more, and given up by it', async () => {
    const [first, second] = [tab(), tab()];
    await pass(1);
    first.says(event('7'));
    await pass(1);
    first.channel.asleep = true;
    await passWithPings(40, first);
    expect(second.opened).toEqual([]);
    await pass(25);
    expect(second.opened).toEqual(['7']);
    // The sleeper wakes up as one who listens.
    first.channel.asleep = false;
    second.says(event('8'));
    await pass(1);
    expect([first.heard, second.heard]).toEqual([
      ['7', '8'],
      ['7', '8'],
    ]);
    await passWithPings(300, second);
    expect([first.opened, second.opened]).toEqual([[''], ['7']]);
  });

  it('is taken by nobody whom nobody looks at', async () => {
    const [first, second] = [tab(), tab()];
    await pass(1);
    first.channel.asleep = true;
    page.visibilityState = 'hidden';
    await passWithPings(300, first);
    expect(second.opened).toEqual([]);
    page.visibilityState = 'visible';
    await pass(20);
    expect(second.opened).toHaveLength(1);
  });

  it('is each tab’s own where there are no locks', async () => {
    vi.stubGlobal('navigator', { onLine: true });
    const [first, second] = [tab(), tab()];
    await pass(1);
    expect([first.opened, second.opened]).toEqual([[''], ['']]);
  });
});
