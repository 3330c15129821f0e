/** The account that is signed in in this browser, as the mailbox page sees it: who it is, and its addresses. */

import type { BoundAddress, Me } from '../account/account.svelte';
import { Api } from '../lib/api';
import { isText, recall } from '../lib/memory';
import { inWords, isGone } from '../lib/refusal';
import { language } from '../texts';
import { prove } from './proof';
import { session } from './session.svelte';

const TOKEN = 'mailbox.account';
const SITE = 'mailbox.site-password';

/** Addresses of one answer, and answers: who has more looks for them in the account. */
const PAGE = 100;
const MOST_PAGES = 10;

class Owner {
  phase = $state<'starting' | 'out' | 'in'>('starting');
  email = $state('');
  /** The account may administrate the service. */
  isAdmin = $state(false);
  trouble = $state('');
  addresses = $state.raw<readonly BoundAddress[]>([]);
  private token = '';

  private readonly api = new Api(
    () => ({ site: recall(SITE, '', isText) || undefined, headers: { 'x-user-token': this.token } }),
    () => language(),
    prove,
  );

  async start(): Promise<void> {
    this.token = recall(TOKEN, '', isText);
    this.trouble = '';
    if (!this.token) {
      this.phase = 'out';
      this.isAdmin = false;
      return;
    }
    try {
      const me = await this.api.json<Me>('GET', '/user_api/settings');
      this.email = me.user_email;
      this.isAdmin = me.is_admin;
      await this.load();
      this.phase = 'in';
    } catch (error) {
      // An old sign-in is no trouble: the account page asks again.
      if (!isGone(error)) this.trouble = inWords(error);
      this.phase = 'out';
    }
  }

  has(address: string): boolean {
    return this.addresses.some((one) => one.name === address);
  }

  /** Binds an address by its key; throws what the service refused. */
  async bind(jwt: string): Promise<void> {
    await this.api.json('POST', '/user_api/bind_address', undefined, { token: jwt });
    await this.load();
  }

  /** Opens an address of the account in this browser. Returns what is wrong, or null. */
  async open(one: BoundAddress): Promise<string | null> {
    try {
      const { jwt } = await this.api.json<{ jwt: string }>('GET', `/user_api/bind_address_jwt/${one.id}`);
      return await session.openByToken(jwt);
    } catch (error) {
      return inWords(error);
    }
  }

  private async load(): Promise<void> {
    const found: BoundAddress[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const { results } = await this.api.json<{ results: BoundAddress[] }>('GET', `/user_api/bind_address?limit=${PAGE}&offset=${page * PAGE}`);
      found.push(...results);
      if (results.length < PAGE) break;
    }
    this.addresses = found;
  }
}

export const owner = new Owner();
