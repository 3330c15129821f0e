/** A person in Telegram: their addresses, and the mail that a message of the bot leads to. */

import { isAddressBook, NO_ADDRESSES, withAddress, type OpenAddress } from '../lib/addresses';
import { Api } from '../lib/api';
import { isText, recall, remember } from '../lib/memory';
import { inWords } from '../lib/refusal';
import type { Mail, NewAddress } from '../lib/wire';
import { prove } from '../stores/proof';
import { language } from '../texts';
import { keepHeld, readLaunch } from './launch';

const BOOK = 'mailbox.addresses';
const ADMIN = 'mailbox.admin-password';

class Telegram {
  readonly proof = readLaunch(location.hash, () => sessionStorage);
  addresses = $state.raw<readonly OpenAddress[]>([]);
  loaded = $state(false);
  trouble = $state('');
  mail = $state.raw<Mail | null>(null);
  remote = $state(false);

  /** An administrator may look at a mail without Telegram. */
  private readonly admin = recall(ADMIN, '', isText);
  private readonly api = new Api(
    () => ({ headers: this.admin ? { 'x-admin-auth': this.admin } : {} }),
    () => language(),
    prove,
  );

  get known(): boolean {
    return this.proof !== '' || this.admin !== '';
  }

  async load(): Promise<void> {
    try {
      this.addresses = this.proof ? await this.ask<OpenAddress[]>('get_bind_address') : [];
      if (this.proof) keepHeld(this.addresses, () => sessionStorage);
      this.loaded = true;
      this.trouble = '';
    } catch (error) {
      this.trouble = inWords(error);
    }
  }

  /** Null when there is no such mail. */
  async open(id: number, remote: boolean): Promise<void> {
    try {
      this.mail = await this.ask<Mail | null>('open_mail', { mailId: id, remote });
      this.remote = remote;
      this.loaded = true;
      this.trouble = '';
    } catch (error) {
      this.trouble = inWords(error);
    }
  }

  /** Throws what the service refused. */
  async make(address: string): Promise<NewAddress> {
    const made = await this.ask<NewAddress>('new_address', { address });
    await this.load();
    return made;
  }

  async bind(jwt: string): Promise<void> {
    await this.ask('bind_address', { jwt });
    await this.load();
  }

  async release(address: string): Promise<void> {
    await this.ask('unbind_address', { address });
    await this.load();
  }

  /** Makes the address the current one of this browser. */
  take(entry: OpenAddress): void {
    remember(BOOK, withAddress(recall(BOOK, NO_ADDRESSES, isAddressBook), entry));
  }

  /** The key of the mailbox that the mail lies in, when it is the person's own. */
  keyOf(address: string): OpenAddress | null {
    return this.addresses.find((one) => one.address === address) ?? null;
  }

  private ask<T>(what: string, more: Record<string, unknown> = {}): Promise<T> {
    return this.api.json<T>('POST', `/telegram/${what}`, { initData: this.proof, ...more });
  }
}

export const telegram = new Telegram();
