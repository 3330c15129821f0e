/** Keys of the page, as mail programs have long had them. */

export type Command =
  | 'older'
  | 'newer'
  | 'open'
  | 'reply'
  | 'forward'
  | 'compose'
  | 'search'
  | 'star'
  | 'unread'
  | 'delete'
  | 'select'
  | 'undo'
  | 'go-inbox'
  | 'go-sent'
  | 'help'
  | 'leave';

const SINGLE: Record<string, Command> = {
  j: 'older',
  k: 'newer',
  Enter: 'open',
  r: 'reply',
  f: 'forward',
  c: 'compose',
  '/': 'search',
  s: 'star',
  u: 'unread',
  '#': 'delete',
  Delete: 'delete',
  x: 'select',
  z: 'undo',
  '?': 'help',
  Escape: 'leave',
};

const AFTER_G: Record<string, Command> = { i: 'go-inbox', s: 'go-sent' };

/** Two keys in a row are one command when they come within this time. */
const PAIR_MS = 1200;

/** Turns keys into commands; remembers a `g` for as long as its partner may come. */
export class KeyReader {
  private gAt = -Infinity;

  read(key: string, at: number): Command | null {
    const paired = at - this.gAt < PAIR_MS;
    this.gAt = -Infinity;
    if (paired && key in AFTER_G) return AFTER_G[key]!;
    if (key === 'g') {
      this.gAt = at;
      return null;
    }
    return SINGLE[key] ?? null;
  }
}
