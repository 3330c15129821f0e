/** What the head of a raw mail says, for lists of whole mails (RFC 5322 §2.2, RFC 2047). Shown as text only. */

/** Heads are looked at this far; a mail that hides its subject further down has none here. */
const MOST_HEAD = 65_536;

export function headOf(raw: string, name: string): string {
  const end = /\r?\n\r?\n/.exec(raw.slice(0, MOST_HEAD))?.index ?? Math.min(raw.length, MOST_HEAD);
  const lines = raw.slice(0, end).split(/\r?\n/);
  const at = lines.findIndex((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  if (at < 0) return '';
  let value = lines[at]!.slice(name.length + 1);
  for (let next = at + 1; next < lines.length && /^[ \t]/.test(lines[next]!); next++) value += lines[next];
  return decodeWords(value.trim());
}

/** Encoded words as people read them; one that cannot be read stays as it is. */
export function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?([\w.:-]+)(?:\*[\w-]*)?\?([bq])\?([^?]*)\?=/gi, (whole, charset: string, way: string, data: string) => {
      try {
        const plain =
          way.toLowerCase() === 'b' ? atob(data) : data.replace(/_/g, ' ').replace(/=([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
        return new TextDecoder(charset).decode(Uint8Array.from(plain, (char) => char.charCodeAt(0)));
      } catch {
        return whole;
      }
    });
}
