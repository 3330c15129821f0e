/** Where a list stands in the address of the page: what it is searched by, and the mail that is open. */

const WITH_MAILS: readonly string[] = ['mails', 'unknown', 'sent'];

export interface ListPlace {
  begin: string;
  open: number | null;
}

/** `ann@x.test/12`, `ann@x.test` or `12`. A name of digits alone is searched for where no mails are listed. */
export function readListPlace(rest: string, list: string): ListPlace {
  const found = WITH_MAILS.includes(list) ? /^(?:(.*)\/)?(\d{1,15})$/.exec(rest) : null;
  return found ? { begin: found[1] ?? '', open: Number(found[2]) } : { begin: rest, open: null };
}

/** The address of a list, and of a mail in it. */
export function listPlace(list: string, begin: string, open: number | null = null): string {
  const parts = [list, ...(begin ? [encodeURIComponent(begin)] : []), ...(open === null ? [] : [open])];
  return `#/${parts.join('/')}`;
}

/** Whether words are an address of this service: then its mail is wanted, and no mail that speaks of it. */
export function isOurs(words: string, domains: readonly string[]): boolean {
  const at = /^[^\s@]+@([^\s@]+)$/.exec(words.toLowerCase())?.[1];
  return at !== undefined && domains.some((domain) => at === domain.toLowerCase() || at.endsWith(`.${domain.toLowerCase()}`));
}
