/** Server-Sent Events (WHATWG HTML §9.2.6), read from a fetch body: EventSource can send no bearer header. */

export interface ServerEvent {
  type: string;
  data: string;
  id: string;
}

/** More than this in one event is no event of ours; the stream is dropped and begun again. */
const LARGEST_EVENT = 1_000_000;

export class EventParser {
  /** The id of the last whole event: what Last-Event-ID says after a break. */
  lastId = '';
  private rest = '';
  private type = '';
  private data: string[] = [];
  private id: string | null = null;
  private size = 0;
  private afterReturn = false;

  /** Takes text as it comes, cut anywhere, and returns the events that are now whole. */
  feed(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let from = 0;
    // A CR at the end of one piece and an LF at the start of the next are one line end.
    if (this.afterReturn && text.startsWith('\n')) from = 1;
    if (text !== '') this.afterReturn = false;
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = from;
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      const line = this.rest + text.slice(from, end.index);
      this.rest = '';
      from = ends.lastIndex;
      if (end[0] === '\r' && from === text.length) this.afterReturn = true;
      const event = this.take(line);
      if (event) events.push(event);
    }
    this.rest += text.slice(from);
    if (this.rest.length + this.size > LARGEST_EVENT) throw new RangeError('event too large');
    return events;
  }

  private take(line: string): ServerEvent | null {
    if (line === '') return this.dispatch();
    if (line.startsWith(':')) return null;
    this.size += line.length;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.type = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    return null;
  }

  private dispatch(): ServerEvent | null {
    if (this.id !== null) this.lastId = this.id;
    const event = this.data.length > 0 ? { type: this.type || 'message', data: this.data.join('\n'), id: this.lastId } : null;
    this.type = '';
    this.data = [];
    this.id = null;
    this.size = 0;
    return event;
  }
}

/** Waits before each next try: 1, 2, 4 … 30 s, spread a little so that not all pages return at once. */
export function pause(attempt: number, random: number): number {
  const whole = Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5));
  return Math.round(whole * (0.8 + 0.4 * random));
}
