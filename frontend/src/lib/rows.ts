/** What a list of mails shows: pure decisions about rows, newest first. */

import type { InboxQuery, MailRow } from './wire';

export type Filter = 'all' | 'unread' | 'codes' | 'starred';

export function queryFor(filter: Filter, words: string): InboxQuery {
  return {
    ...(words ? { q: words } : {}),
    ...(filter === 'unread' ? { unread: true } : {}),
    ...(filter === 'codes' ? { codes: true } : {}),
    ...(filter === 'starred' ? { flagged: true } : {}),
  };
}

/** Whether a mail that has just come belongs into what is shown. Searches are answered by the service alone. */
export function belongs(row: MailRow, filter: Filter): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'unread':
      return !row.seen;
    case 'codes':
      return row.code !== null || row.link !== null;
    case 'starred':
      return row.flagged;
  }
}

/** Rows of two lists, newest first, each mail once; of two versions the one in `fresh` counts. */
export function merged(fresh: readonly MailRow[], old: readonly MailRow[]): MailRow[] {
  const byId = new Map<number, MailRow>();
  for (const row of old) byId.set(row.id, row);
  for (const row of fresh) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

/** The neighbour to show when `id` goes away or a key moves on: +1 is older, -1 newer. */
export function neighbour(rows: readonly MailRow[], id: number | null, step: 1 | -1): MailRow | null {
  if (rows.length === 0) return null;
  const at = rows.findIndex((row) => row.id === id);
  if (at < 0) return rows[0]!;
  return rows[at + step] ?? null;
}
