/** Mail addresses as people write them in a To field (RFC 5322 §3.4, the everyday part of it). */

export interface Person {
  name: string;
  address: string;
}

/** Splits at commas and semicolons that lie outside quotes, angle brackets and comments. */
export function splitList(text: string): string[] {
  const items: string[] = [];
  let item = '';
  let quoted = false;
  let angle = false;
  let comment = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\' && (quoted || comment > 0)) {
      item += char + (text[++at] ?? '');
      continue;
    }
    if (char === '"' && comment === 0) quoted = !quoted;
    else if (!quoted && char === '(') comment++;
    else if (!quoted && char === ')' && comment > 0) comment--;
    else if (!quoted && char === '<') angle = true;
    else if (!quoted && char === '>') angle = false;
    if ((char === ',' || char === ';' || char === '\n') && !quoted && !angle && comment === 0) {
      if (item.trim()) items.push(item.trim());
      item = '';
    } else item += char;
  }
  if (item.trim()) items.push(item.trim());
  return items;
}

/** `Lena Brandt <lena@x.example>`, `"Brandt, Lena" <…>`, `lena@x.example (Lena)` or a bare address. */
export function readPerson(text: string): Person {
  const trimmed = text.trim();
  const angled = /^(.*)<([^<>]*)>\s*$/s.exec(trimmed);
  if (angled) return { name: unquote(angled[1]!), address: angled[2]!.trim() };
  const commented = /^(\S+)\s*\(([^()]*)\)$/.exec(trimmed);
  if (commented) return { name: commented[2]!.trim(), address: commented[1]! };
  return { name: '', address: trimmed };
}

/** Every person of a header field or of pasted text, in order; who is named twice is one person. */
export function readPeople(text: string): Person[] {
  const people = new Map<string, Person>();
  for (const person of splitList(text).map(readPerson)) {
    const key = person.address.trim().toLowerCase();
    if (key && !people.has(key)) people.set(key, person);
  }
  return [...people.values()];
}

function unquote(text: string): string {
  const trimmed = text.trim();
  const quoted = /^"(.*)"$/s.exec(trimmed);
  return (quoted ? quoted[1]!.replace(/\\(.)/g, '$1') : trimmed).trim();
}

export type AddressFault = 'no-at' | 'no-name' | 'no-domain' | 'no-ending' | 'strange' | 'too-long';

/**
 * What a person can mend before sending; the service judges finally. Null when nothing is wrong.
 * A domain without a dot is refused unless it is `localhost` or under it, which serves tests.
 */
export function faultOf(address: string): AddressFault | null {
  if (address.length > 254) return 'too-long';
  if (/[\s<>,;:"()[\]\\\u0000-\u001f\u007f]/.test(address)) return 'strange';
  const at = address.lastIndexOf('@');
  if (at < 0) return 'no-at';
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (local === '') return 'no-name';
  if (local.length > 64) return 'too-long';
  if (local.includes('@') || local.startsWith('.') || local.endsWith('.') || local.includes('..')) return 'strange';
  if (domain === '') return 'no-domain';
  const labels = domain.split('.');
  if (labels.some((label) => !/^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]{0,61}[\p{L}\p{N}\p{M}])?$/u.test(label))) return 'strange';
  if (labels.length < 2 && domain.toLowerCase() !== 'localhost') return 'no-ending';
  return null;
}

export function sameAddress(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}
