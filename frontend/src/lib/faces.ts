/** How addresses look: initials, a hue, two weights. */

const ONE_SIGN_A_WORD = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u;

/** Up to two letters for the picture of a sender; one for scripts that write words with one sign. */
export function initials(name: string, address: string): string {
  const words = (name || address.split('@')[0]!)
    .replace(/[^\p{L}\p{N}\s._-]/gu, ' ')
    .split(/[\s._-]+/)
    .filter(Boolean);
  const letters = words.map((word) => [...word][0]!);
  const first = letters[0] ?? '?';
  if (letters.length < 2 || ONE_SIGN_A_WORD.test(first)) return first.toUpperCase();
  return (first + letters.at(-1)!).toUpperCase();
}

/** One of the eight hues, the same for an address on every visit. */
export function hueOf(address: string): number {
  let sum = 7;
  for (const char of address.toLowerCase()) sum = (sum * 31 + char.codePointAt(0)!) >>> 0;
  return (sum % 8) + 1;
}

/** Both sides of the @, for showing them in two weights. */
export function splitAddress(address: string): { local: string; domain: string } {
  const at = address.lastIndexOf('@');
  return at < 0 ? { local: address, domain: '' } : { local: address.slice(0, at), domain: address.slice(at + 1) };
}
