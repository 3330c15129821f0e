/** How a code looks on its chip, and what a confirmation link is called. */

/** `482913` → `482`, `913`: six or eight digits are read in groups; all other codes stay as they are. */
export function groups(code: string): string[] {
  if (/^\d{6}$/.test(code)) return [code.slice(0, 3), code.slice(3)];
  if (/^\d{8}$/.test(code)) return [code.slice(0, 4), code.slice(4)];
  return [code];
}

/** The longest word that fits a row. */
const LONGEST_LABEL = 14;
/** The longest name that a button of a mail has. */
const LONGEST_NAME = 40;

/** The first words of a link's text that fit a row; `fallback` when it has none of its own. */
export function linkLabel(text: string, fallback: string): string {
  const clean = text.replace(/\s+/g, ' ').trim();
  if (!clean || /^https?:/i.test(clean)) return fallback;
  // Words around a bare address are a sentence about it, not its name.
  if (clean.length > LONGEST_NAME || /[.:!?。：！？](?:\s|$)/u.test(clean)) return fallback;
  if (clean.length <= LONGEST_LABEL) return clean;
  const first = clean.split(' ')[0]!;
  return first.length >= 4 && first.length <= LONGEST_LABEL ? first : fallback;
}

/** Only these may leave the page by a press; anything else a mail names stays text. */
export function safeLink(url: string): string | null {
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'https:' || parsed.protocol === 'http:' ? parsed.href : null;
  } catch {
    return null;
  }
}
