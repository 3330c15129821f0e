/** Whoever runs the service: how they prove it, and the client that carries the proof. */

import { Api } from '../lib/api';
import { carried } from '../lib/carried';
import { isText, recall, remember } from '../lib/memory';
import { inWords, isGone } from '../lib/refusal';
import type { ServiceSettings } from '../lib/wire';
import { language } from '../texts';

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

class Admin {
  phase = $state<'starting' | 'out' | 'in' | 'unreachable'>('starting');
  trouble = $state('');
  figures = $state.raw<Figures | null>(null);
  settings = $state.raw<ServiceSettings | null>(null);
  /** Mails that wait in the queue, as far as it was looked at. */
  waiting = $state(0);
  /** Kept for this tab alone unless the administrator wants it longer. */
  private password = read();
  private access = '';

  readonly api = new Api(
    () => ({
      site: recall(SITE, '', isText) || undefined,
      headers: this.password ? { 'x-admin-auth': this.password } : this.access ? { 'x-user-access-token': this.access } : {},
    }),
    () => language(),
  );

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

  /** Throws what the service refused; the password is then not kept. */
  async login(password: string, keep: boolean): Promise<void> {
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
  }

  async look(): Promise<void> {
    this.figures = await this.api.json<Figures>('GET', '/admin/statistics');
    this.phase = 'in';
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

export const admin = new Admin();
