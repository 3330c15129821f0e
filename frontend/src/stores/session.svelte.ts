/** Who is here: the settings of the service, the addresses this browser holds, the one in use. */

import {
  addressInToken,
  currentOf,
  isAddressBook,
  NO_ADDRESSES,
  switchedTo,
  withAddress,
  withoutAddress,
  type AddressBook,
  type OpenAddress,
} from '../lib/addresses';
import { Api } from '../lib/api';
import { carried } from '../lib/carried';
import { isText, recall, remember } from '../lib/memory';
import { inWords, isGone, Refusal, Unreachable } from '../lib/refusal';
import type { AddressWish, ServiceSettings } from '../lib/wire';
import { language } from '../texts';
import { place } from './place.svelte';
import { prove } from './proof';
import { forgetMails } from './worker';

const BOOK = 'mailbox.addresses';
const SITE = 'mailbox.site-password';

/** Where the visitor stands before there is a mailbox to show. */
export type Phase = 'starting' | 'unreachable' | 'private' | 'closed' | 'ready';

/** Passwords travel hashed to the login routes (mailbox API §2.3); most visits need none. */
async function hashOf(password: string): Promise<string> {
  return (await import('../lib/sha256')).sha256Hex(password);
}


class Session {
  settings = $state.raw<ServiceSettings | null>(null);
  book = $state.raw<AddressBook>(recall(BOOK, NO_ADDRESSES, isAddressBook));
  phase = $state<Phase>('starting');
  /** The first address of this browser is on its way: its place is shown already. */
  making = $state(false);
  /** Why there is no mailbox, in words. */
  trouble = $state('');
  /** The password of an address that has just been made; shown, never stored. */
  freshPassword = $state.raw<{ address: string; password: string } | null>(null);
  /** True for an address that was made on this visit: the first-visit page greets with it. */
  justMade = $state(false);
  /** Tokens that the service no longer accepts. */
  refused = $state.raw<ReadonlySet<string>>(new Set());

  readonly current = $derived<OpenAddress | null>(currentOf(this.book));

  /** A key that is being looked at is not found wanting by others. */
  private checking = false;
  private sitePassword = recall(SITE, '', isText);

  readonly api = new Api(
    () => ({ token: this.current?.jwt, site: this.sitePassword }),
    () => language(),
    prove,
  );

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === BOOK) this.takeOver(recall(BOOK, NO_ADDRESSES, isAddressBook));
    });
  }

  /** Opens the door: settings first, then the invited, remembered or newly made address. */
  async start(invited: string | null): Promise<void> {
    this.phase = 'starting';
    try {
      this.settings = carried<ServiceSettings>('settings', 'domains') ?? (await this.api.settings());
      // The page cannot know that this browser knows the password.
      if (this.settings.needAuth && this.sitePassword) this.settings = await this.api.settings();
    } catch (error) {
      this.lose(error);
      return;
    }
    if (this.settings.needAuth) {
      this.phase = 'private';
      return;
    }
    if (invited) {
      const failure = await this.openInvited(invited);
      if (failure === null) return;
      this.trouble = failure;
    }
    if (this.current) {
      this.phase = 'ready';
      return;
    }
    if (!this.mayCreate || this.trouble) {
      this.close(this.trouble);
      return;
    }
    this.making = true;
    try {
      await this.create({});
    } catch (error) {
      if (error instanceof Unreachable) this.lose(error);
      else this.close(inWords(error));
    }
    this.making = false;
  }

  /** The mailbox of a link is shown while the service looks at its key; what was here before comes back when that is refused. */
  private async openInvited(token: string): Promise<string | null> {
    const before = this.book;
    const jwt = token.trim();
    const address = addressInToken(jwt);
    if (address !== null) {
      this.book = withAddress(before, { address, jwt });
      this.phase = 'ready';
    }
    this.checking = true;
    const failure = await this.openByToken(jwt);
    this.checking = false;
    if (failure !== null) {
      this.book = before;
      this.phase = 'starting';
    }
    return failure;
  }

  private lose(error: unknown): void {
    this.trouble = inWords(error);
    this.phase = 'unreachable';
  }

  get mayCreate(): boolean {
    const settings = this.settings;
    return settings !== null && settings.enableUserCreateEmail && !settings.disableAnonymousUserCreateEmail;
  }

  get maySend(): boolean {
    return this.settings?.enableSendMail ?? false;
  }

  /** Makes an address and takes it; throws what the service refused. */
  async create(wish: AddressWish): Promise<void> {
    const made = await this.api.newAddress(wish, Boolean(this.settings?.enableAltcha || this.settings?.cfTurnstileSiteKey));
    if (made.password) this.freshPassword = { address: made.address, password: made.password };
    this.enter({ address: made.address, jwt: made.jwt });
    this.justMade = true;
  }

  /** Takes a token that was pasted or came in a link. Returns what is wrong with it, or null. */
  async openByToken(token: string): Promise<string | null> {
    const jwt = token.trim();
    if (addressInToken(jwt) === null) return inWords(new Refusal(401, '', null));
    try {
      const { address } = await this.api.mailboxOf(jwt);
      this.enter({ address, jwt });
      return null;
    } catch (error) {
      return inWords(error);
    }
  }

  async openByPassword(address: string, password: string): Promise<string | null> {
    try {
      const opened = await this.api.addressLogin(address.trim(), await hashOf(password));
      this.enter({ address: opened.address, jwt: opened.jwt });
      return null;
    } catch (error) {
      return inWords(error);
    }
  }

  /** The password of a private site; it then goes with every request. Returns what is wrong, or null. */
  async openSite(password: string, invited: string | null): Promise<string | null> {
    try {
      await this.api.siteLogin(await hashOf(password));
    } catch (error) {
      return inWords(error);
    }
    this.sitePassword = password;
    remember(SITE, password);
    await this.start(invited);
    return null;
  }

  switchTo(address: string): void {
    this.justMade = false;
    this.keep(switchedTo(this.book, address));
  }

  /** Forgets the key here; the mailbox itself stays. */
  forget(address: string): void {
    this.justMade = false;
    const own = this.current?.address;
    const gone = this.book.list.find((one) => one.address === address);
    if (gone) forgetMails(gone.jwt);
    this.keep(withoutAddress(this.book, address));
    if (this.freshPassword?.address === address) this.freshPassword = null;
    this.leave(own);
  }

  /** Deletes the current address with all its mail; throws what the service refused. */
  async deleteCurrent(): Promise<void> {
    const address = this.current?.address;
    if (!address) return;
    await this.api.deleteAddress();
    this.forget(address);
  }

  /** A new password for the current address; shown once, as at the beginning. */
  async setPassword(password: string): Promise<void> {
    const address = this.current?.address;
    if (!address) return;
    await this.api.changePassword(await hashOf(password));
    this.freshPassword = { address, password };
  }

  /** The service has refused the key of `address`; it is kept until the visitor lets it go. */
  markRefused(address: string): void {
    if (this.checking) return;
    this.refused = new Set([...this.refused, address]);
  }

  /** Something that any request may find out: the site or the address wants a key again. */
  async noticed(error: unknown): Promise<void> {
    if (!isGone(error) || !this.current || this.checking) return;
    const address = this.current.address;
    try {
      this.settings = await this.api.settings();
      if (this.settings.needAuth) this.phase = 'private';
      else this.markRefused(address);
    } catch {
      // Not reachable either: the line to the service says so.
    }
  }

  private enter(entry: OpenAddress): void {
    this.justMade = false;
    this.trouble = '';
    if (this.refused.has(entry.address)) {
      this.refused = new Set([...this.refused].filter((address) => address !== entry.address));
    }
    this.keep(withAddress(this.book, entry));
    this.phase = 'ready';
  }

  private close(why: string): void {
    this.trouble = why;
    this.phase = 'closed';
  }

  private keep(book: AddressBook): void {
    this.book = book;
    remember(BOOK, book);
  }

  /** Another tab changed the list; this tab stays with its own address while it exists. */
  private takeOver(theirs: AddressBook): void {
    const own = this.current?.address;
    this.book = switchedTo(theirs, own ?? '');
    this.leave(own);
  }

  /** What was open of an address that is gone from here does not stay beside the mail of the next one. */
  private leave(own: string | undefined): void {
    if (!this.current && this.phase === 'ready') this.close('');
    const { view } = place.route;
    if (own && this.current?.address !== own && (view === 'mail' || view === 'sent')) place.replace({ view: 'inbox' });
  }
}

export const session = new Session();
