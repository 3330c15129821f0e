/** What two servers said to each other, in whichever form the service kept it. */

export interface Line {
  from: 'us' | 'them';
  text: string;
  time: string | null;
}

/** A talk is a few dozen lines; more is cut. */
const MOST_LINES = 400;

export function readConversation(kept: unknown): Line[] {
  if (typeof kept === 'string') return kept.split(/\r?\n/).filter(Boolean).slice(0, MOST_LINES).map(readLine);
  if (!Array.isArray(kept)) return [];
  return kept.slice(0, MOST_LINES).flatMap((item: unknown): Line[] => {
    if (typeof item === 'string') return [readLine(item)];
    if (Array.isArray(item)) return [{ from: isOurs(String(item[0])) ? 'us' : 'them', text: String(item[1] ?? ''), time: null }];
    if (typeof item === 'object' && item !== null) {
      const line = item as Record<string, unknown>;
      const who = String(line['from'] ?? line['direction'] ?? line['who'] ?? '');
      const text = String(line['text'] ?? line['line'] ?? '');
      const time = line['at'] ?? line['time'];
      return [{ from: isOurs(who) ? 'us' : 'them', text, time: typeof time === 'string' ? time : null }];
    }
    return [];
  });
}

function isOurs(who: string): boolean {
  return /^(?:us|we|c|client|>|>>>|->|→|out|sent)$/i.test(who.trim());
}

function readLine(line: string): Line {
  const marked = /^\s*(?:(\d\d:\d\d:\d\d)(?:\.\d+)?\s+)?(C|S|client|server|us|them|>>>|<<<|->|<-|→|←|>|<)(?::\s*|\s+)(.*)$/i.exec(line);
  if (marked) return { from: isOurs(marked[2]!) ? 'us' : 'them', text: marked[3]!, time: marked[1] ?? null };
  return { from: /^\d{3}[ -]/.test(line) ? 'them' : 'us', text: line, time: null };
}
