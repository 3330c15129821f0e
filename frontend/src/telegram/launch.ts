/**
 * How Telegram opens a mini app: the proof of who it is stands in the fragment of the address, as `tgWebAppData`.
 * Reading it there needs no script of another host.
 */

import { isAddressBook, type OpenAddress } from '../lib/addresses';

const KEPT = 'mailbox.telegram';
const HELD = 'mailbox.telegram-addresses';

/** The proof of this opening; it lasts for the tab, so that a reload keeps it. Empty outside Telegram. */
export function readLaunch(hash: string, storage: () => Pick<Storage, 'getItem' | 'setItem'>): string {
  const told = new URLSearchParams(hash.replace(/^#/, '')).get('tgWebAppData');
  try {
    // In a frame of Telegram Web, a browser that keeps nothing for foreign frames refuses the storage itself.
    if (told) storage().setItem(KEPT, told);
    return told ?? storage().getItem(KEPT) ?? '';
  } catch {
    return told ?? '';
  }
}

/** Keeps the addresses of the person for the tab: the proof is good for minutes only. */
export function keepHeld(list: readonly OpenAddress[], storage: () => Pick<Storage, 'setItem'>): void {
  try {
    storage().setItem(HELD, JSON.stringify(list));
  } catch {
    // Then they are asked for again.
  }
}

export function readHeld(storage: () => Pick<Storage, 'getItem'>): readonly OpenAddress[] {
  try {
    const book: unknown = { current: '', list: JSON.parse(storage().getItem(HELD) ?? '[]') as unknown };
    return isAddressBook(book) ? book.list : [];
  } catch {
    return [];
  }
}
