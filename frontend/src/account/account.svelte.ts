/** The account that is signed in here: its token, what it may, its addresses. */

import { Api, search } from '../lib/api';
import { carried } from '../lib/carried';
import { isText, recall, remember } from '../lib/memory';
import { inWords, isGone } from '../lib/refusal';
import { canUsePasskeys, makePasskey, showPasskey, type CreationJson, type RequestJson } from '../lib/webauthn';
import { isAddressBook, NO_ADDRESSES, withAddress, type OpenAddress } from '../lib/addresses';
import { prove } from '../stores/proof';
import { language } from '../texts';

const TOKEN = 'mailbox.account';
const SITE = 'mailbox.site-password';
const BOOK = 'mailbox.addresses';
const GOING = 'mailbox.sign-in';

export interface Provider {
  clientID: string;
  name: string;
  icon?: string;
}

export interface OpenSettings {
  enable?: boolean;
  enableMailVerify?: boolean;
  oauth2ClientIDs: Provider[];
}

export interface Me {
  user_email: string;
  user_id: number;
  is_admin: boolean;
  access_token: string | null;
  new_user_token: string | null;
  user_role: { role: string } | null;
}

export interface BoundAddress {
  id: number;
  name: string;
  created_at: string;
  mail_count: number;
  send_count: number;
}

export interface Passkey {
  passkey_name: string;
  passkey_id: string;
  created_at: string;
}

/** Addresses of one page; an account with more turns pages. */
export const PAGE = 50;
/** Mails that the service marks at one request. */
const MOST_MARKED = 1000;

const hashed = async (password: string) => (await import('../lib/sha256')).sha256Hex(password);

class Account {
  token = $state(recall(TOKEN, '', isText));
  me = $state.raw<Me | null>(null);
  open = $state.raw<OpenSettings | null>(null);
  phase = $state<'starting' | 'out' | 'in' | 'unreachable'>('starting');
  trouble = $state('');
  addresses = $state.raw<readonly BoundAddress[]>([]);
  count = $state(0);
  readonly passkeysPossible = canUsePasskeys();

  readonly api = new Api(
    () => ({
      site: recall(SITE, '', isText) || undefined,
      headers: this.token ? { 'x-user-token': this.token } : {},
    }),
    () => language(),
    prove,
  );

  async start(): Promise<void> {
    this.phase = 'starting';
    try {
      this.open = carried<OpenSettings>('accounts', 'oauth2ClientIDs') ?? (await this.api.json<OpenSettings>('GET', '/user_api/open_settings'));
      if (this.token) await this.enter(this.token);
      else this.phase = 'out';
    } catch (error) {
      if (isGone(error) && this.token) {
        this.leave();
        this.open ??= { oauth2ClientIDs: [] };
        return;
      }
      this.trouble = inWords(error);
      this.phase = 'unreachable';
    }
  }

  /** Takes a token that the service gave. Throws what it refused. */
  async enter(token: string): Promise<void> {
    this.token = token;
    const me = await this.api.json<Me>('GET', '/user_api/settings');
    this.me = me;
    if (me.new_user_token) this.token = me.new_user_token;
    remember(TOKEN, this.token);
    this.phase = 'in';
    await this.load(0);
  }

  leave(): void {
    this.token = '';
    this.me = null;
    this.addresses = [];
    remember(TOKEN, '');
    this.phase = 'out';
  }

  async login(email: string, password: string): Promise<void> {
    const { jwt } = await this.api.json<{ jwt: string }>('POST', '/user_api/login', { email: email.trim(), password: await hashed(password) });
    await this.enter(jwt);
  }

  /** Opens an account; with a mailed code it also gives one that exists a new password. */
  async register(email: string, password: string, code: string): Promise<void> {
    await this.api.json('POST', '/user_api/register', { email: email.trim(), password: await hashed(password), code: code.trim() });
    await this.login(email, password);
  }

  async sendCode(email: string): Promise<void> {
    await this.api.json('POST', '/user_api/verify_code', { email: email.trim() });
  }

  /** Sends the browser to a provider. The state comes back with it and must be the same. */
  async goTo(provider: Provider): Promise<void> {
    const state = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const query = new URLSearchParams({ clientID: provider.clientID, state });
    const { url } = await this.api.json<{ url: string }>('GET', `/user_api/oauth2/login_url?${query}`);
    const target = new URL(url);
    if (target.protocol !== 'https:' && target.protocol !== 'http:') throw new Error('not a web address');
    sessionStorage.setItem(GOING, JSON.stringify({ clientID: provider.clientID, state }));
    location.assign(target.href);
  }

  /** Back from a provider. False when this browser did not begin it. */
  async comeBack(code: string, state: string): Promise<boolean> {
    let going: { clientID?: unknown; state?: unknown } = {};
    try {
      going = JSON.parse(sessionStorage.getItem(GOING) ?? '{}') as typeof going;
      sessionStorage.removeItem(GOING);
    } catch {
      return false;
    }
    if (!code || !state || going.state !== state) return false;
    const { jwt } = await this.api.json<{ jwt: string }>('POST', '/user_api/oauth2/callback', { clientID: going.clientID, code, state });
    this.open ??= await this.api.json<OpenSettings>('GET', '/user_api/open_settings');
    await this.enter(jwt);
    return true;
  }

  async loginByPasskey(): Promise<void> {
    const domain = location.hostname;
    const options = await this.api.json<RequestJson>('POST', '/user_api/passkey/authenticate_request', { domain });
    const credential = await showPasskey(options);
    const { jwt } = await this.api.json<{ jwt: string }>('POST', '/user_api/passkey/authenticate_response', { domain, origin: location.origin, credential });
    await this.enter(jwt);
  }

  async addPasskey(name: string): Promise<void> {
    const options = await this.api.json<CreationJson>('POST', '/user_api/passkey/register_request', { domain: location.hostname });
    const credential = await makePasskey(options);
    await this.api.json('POST', '/user_api/passkey/register_response', { origin: location.origin, passkey_name: name, credential });
  }

  /** A page of those addresses that contain the words; further pages are not counted again. */
  find(words: string, offset: number): Promise<{ results: BoundAddress[]; count: number }> {
    return this.api.json('GET', `/user_api/bind_address${search({ limit: PAGE, query: words, offset })}`);
  }

  /** Sets or clears marks of mails, of whichever addresses; few requests however many they are. */
  async mark(ids: readonly number[], marks: { seen?: boolean; flagged?: boolean }): Promise<void> {
    for (let at = 0; at < ids.length; at += MOST_MARKED) {
      await this.api.json('POST', '/user_api/mails/mark', { ids: ids.slice(at, at + MOST_MARKED), ...marks });
    }
  }

  async load(offset: number): Promise<void> {
    const page = await this.find('', offset);
    this.addresses = page.results;
    // Further pages do not count again.
    if (offset === 0) this.count = page.count;
  }

  /** Puts the key of an address into this browser and makes it the current one. */
  async take(id: number, address: string): Promise<void> {
    const { jwt } = await this.api.json<{ jwt: string }>('GET', `/user_api/bind_address_jwt/${id}`);
    this.hold({ address, jwt });
  }

  /** Puts a key into this browser and makes its address the current one. */
  hold(entry: OpenAddress): void {
    remember(BOOK, withAddress(recall(BOOK, NO_ADDRESSES, isAddressBook), entry));
  }

  /** Addresses whose keys this browser holds. */
  get held(): readonly { address: string; jwt: string }[] {
    return recall(BOOK, NO_ADDRESSES, isAddressBook).list;
  }

  async bind(jwt: string): Promise<void> {
    await this.api.json('POST', '/user_api/bind_address', undefined, { token: jwt });
  }
}

export const account = new Account();
