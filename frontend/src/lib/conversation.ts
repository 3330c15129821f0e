/** What two servers said to each other: lines marked `>` (we), `<` (they) and `*` (what we noticed). */

export interface Line {
  from: 'us' | 'them' | 'note';
  text: string;
}

/** A talk is a few dozen lines; more is cut. */
const MOST_LINES = 400;

const SIDES = { '>': 'us', '<': 'them', '*': 'note' } as const;

export function readConversation(kept: string): Line[] {
  const lines: Line[] = [];
  for (const line of kept.split(/\r?\n/).slice(0, MOST_LINES)) {
    const mark = line[0] as keyof typeof SIDES | undefined;
    if (mark !== undefined && mark in SIDES) lines.push({ from: SIDES[mark], text: line.slice(1).trimStart() });
    // A reply of several lines is marked once.
    else if (line.trim() !== '') lines.push({ from: lines.at(-1)?.from ?? 'note', text: line });
  }
  return lines;
}
