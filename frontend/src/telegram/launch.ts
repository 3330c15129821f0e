/**
 * How Telegram opens a mini app: the proof of who it is stands in the fragment of the address, as `tgWebAppData`.
 * Reading it there needs no script of another host.
 */

const KEPT = 'mailbox.telegram';

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
