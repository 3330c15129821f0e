/** The addresses that this browser holds keys for. Pure: the store keeps it, this decides. */

export interface OpenAddress {
  address: string;
  jwt: string;
}

export interface AddressBook {
  current: string;
  list: OpenAddress[];
}

export const NO_ADDRESSES: AddressBook = { current: '', list: [] };

/** Keys beyond this many are old ones; the oldest is let go. */
const MOST_ADDRESSES = 200;

export function isAddressBook(value: unknown): value is AddressBook {
  const book = value as AddressBook | null;
  return (
    typeof book === 'object' &&
    book !== null &&
    typeof book.current === 'string' &&
    Array.isArray(book.list) &&
    book.list.every((entry) => typeof entry?.address === 'string' && typeof entry.jwt === 'string')
  );
}

/** Adds or renews an address and makes it the current one; newest first. */
export function withAddress(book: AddressBook, entry: OpenAddress): AddressBook {
  const known = book.list.some((one) => one.address === entry.address);
  const list = known
    ? book.list.map((one) => (one.address === entry.address ? entry : one))
    : [entry, ...book.list].slice(0, MOST_ADDRESSES);
  return { current: entry.address, list };
}

/** Forgets an address; when it was the current one, its neighbour takes its place. */
export function withoutAddress(book: AddressBook, address: string): AddressBook {
  const at = book.list.findIndex((one) => one.address === address);
  const list = book.list.filter((one) => one.address !== address);
  const current = book.current === address ? (list[Math.min(at, list.length - 1)]?.address ?? '') : book.current;
  return { current, list };
}

export function switchedTo(book: AddressBook, address: string): AddressBook {
  return book.list.some((one) => one.address === address) ? { ...book, current: address } : book;
}

export function currentOf(book: AddressBook): OpenAddress | null {
  return book.list.find((one) => one.address === book.current) ?? book.list[0] ?? null;
}

/** The address that a token names; the token is not verified, the service does that (mailbox API §2.1). */
export function addressInToken(jwt: string): string | null {
  const payload = jwt.split('.')[1];
  if (!payload) return null;
  try {
    const text = atob(payload.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { address?: unknown };
    return typeof claims.address === 'string' ? claims.address : null;
  } catch {
    return null;
  }
}
