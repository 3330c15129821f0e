/** Whoever runs the service: how they prove it, and the client that carries the proof. */

import { Api } from '../lib/api';
import { carried } from '../lib/carried';
import { isText, recall, remember } from '../lib/memory';
import { inWords, isGone } from '../lib/refusal';
import type { ServiceSettings } from '../lib/wire';
import { language, t } from '../texts';

const PASSWORD = 'mailbox.admin-password';
const ACCOUNT = 'mailbox.account';
const SITE = 'mailbox.site-password';

export interface Figures {
  mailCount: number;
  addressCount: number;
  activeAddressCount7days: number;
  activeAddressCount30days: number;
  userCount: number;
  sendMailCount: number;
}

/** Tells when a request was refused because nobody is signed in any more. */
class AdminApi extends Api {
  /** Whether there is another proof, so that the request may go again. */
  refused: () => Promise<boolean> = () => Promise.resolve(false);

  override async json<T>(...asked: Parameters<Api['json']>): Promise<T> {
    try {
      return await super.json<T>(...asked);
    } catch (error) {
      if (isGone(error) && (await this.refused())) return super.json<T>(...asked);
      throw error;
    }
  }
}

class Admin {
  phase = $state<'starting' | 'out' | 'in' | 'unreachable'>('starting');
  trouble = $state('');
  /** The service does not take the proof any more, while somebody is at work. */
  ended = $state(false);
  figures = $state.raw<Figures | null>(null);
  settings = $state.raw<ServiceSettings | null>(null);
  /** Mails that wait in the queue, as far as it was looked at. */
  waiting = $state(0);
  /** Kept for this tab alone unless the administrator wants it longer. */
  private password = read();
  private access = '';

  readonly api = new AdminApi(
    () => ({
      site: recall(SITE, '', isText) || undefined,
      headers: this.password ? { 'x-admin-auth': this.password } : this.access ? { 'x-user-access-token': this.access } : { 'x-admin-auth': '' },
    }),
    () => language(),
  );

  constructor() {
    this.api.refused = () => this.refused();
  }

  async start(): Promise<void> {
    this.phase = 'starting';
    try {
      this.settings = carried<ServiceSettings>('settings', 'domains') ?? (await this.api.json<ServiceSettings>('GET', '/open_api/settings'));
      if (!this.password && recall(ACCOUNT, '', isText)) await this.useAccount();
      // Who has nothing to show need not be refused first.
      if (this.password || this.access || this.settings.disableAdminPasswordCheck) await this.look();
      else this.phase = 'out';
    } catch (error) {
      if (isGone(error)) this.phase = 'out';
      else {
        this.trouble = inWords(error);
        this.phase = 'unreachable';
      }
    }
  }

  /** Throws what the service refused; the password is then not kept. Who does not say so keeps it where it was kept. */
  async login(password: string, keep = recall(PASSWORD, '', isText) !== ''): Promise<void> {
    const before = this.password;
    this.password = password;
    try {
      await this.look();
    } catch (error) {
      this.password = before;
      throw error;
    }
    if (keep) remember(PASSWORD, password);
    else sessionStorage.setItem(PASSWORD, JSON.stringify(password));
  }

  leave(): void {
    this.password = this.access = '';
    remember(PASSWORD, '');
    sessionStorage.removeItem(PASSWORD);
    this.phase = 'out';
    this.ended = false;
  }

  /** Somebody wants to look at the page before signing in again; the next refusal asks anew. */
  putOff(): void {
    this.ended = false;
  }

  async look(): Promise<void> {
    this.figures = await this.api.json<Figures>('GET', '/admin/statistics');
    this.phase = 'in';
    this.ended = false;
  }

  private async refused(): Promise<boolean> {
    if (this.phase !== 'in') return false;
    // What an account proves with lasts for an hour; a new one is had for the asking.
    if (!this.password && this.access) {
      const before = this.access;
      await this.useAccount();
      if (this.access !== before) return true;
    }
    this.ended = true;
    return false;
  }

  /** An account whose role may administrate needs no password. */
  private async useAccount(): Promise<void> {
    const token = recall(ACCOUNT, '', isText);
    if (!token) return;
    const account = new Api(
      () => ({ headers: { 'x-user-token': token } }),
      () => language(),
    );
    const me = await account.json<{ is_admin: boolean; access_token: string | null }>('GET', '/user_api/settings').catch(() => null);
    if (me?.is_admin && me.access_token) this.access = me.access_token;
  }
}

function read(): string {
  try {
    const own: unknown = JSON.parse(sessionStorage.getItem(PASSWORD) ?? 'null');
    if (isText(own)) return own;
  } catch {
    // Nothing of this tab.
  }
  return recall(PASSWORD, '', isText);
}

/** Why somebody was not let in: a password that was refused is a wrong one. */
export function whyNotIn(error: unknown): string {
  return isGone(error) ? t('admin.wrong') : inWords(error);
}

export const admin = new Admin();
