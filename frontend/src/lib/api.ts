/** The one place that talks HTTP to the service. Every refusal leaves it as a `Refusal`. */

import { nameOf, takeBegun } from './begun';
import { Refusal, Unreachable } from './refusal';
import { fingerprint, headersFor, PLAIN, type Keys } from './requests';
import type {
  AddressWish,
  BriefRow,
  Flags,
  InboxPage,
  InboxQuery,
  Mail,
  MailRow,
  NewAddress,
  SentMail,
  SentPage,
  ServiceSettings,
} from './wire';

/** An answer that has not begun after this long is not coming; uploads are not bound by it. */
const PATIENCE_MS = 30_000;

/** The code of the refusal that wants a proof of a human. */
const ASKS_HUMAN = 'TurnstileCheckFailed';

const PRINT = fingerprint();

type Body = Record<string, unknown> | undefined;

export class Api {
  /** `keys` is asked at each call, so that a change of address needs no new client. */
  constructor(
    private readonly keys: () => Keys,
    private readonly language: () => string,
    /** Gets a token that proves a human; asked when the service asks. */
    private readonly prove: ((api: Api) => Promise<string>) | null = null,
  ) {}

  settings(): Promise<ServiceSettings> {
    return this.json('GET', '/open_api/settings');
  }

  async siteLogin(passwordHash: string): Promise<void> {
    await this.json('POST', '/open_api/site_login', { password: passwordHash });
  }

  newAddress(wish: AddressWish, human: boolean): Promise<NewAddress> {
    return this.json('POST', '/api/new_address', { ...wish }, { human });
  }

  addressLogin(email: string, passwordHash: string): Promise<{ jwt: string; address: string }> {
    return this.json('POST', '/api/address_login', { email, password: passwordHash });
  }

  async changePassword(newHash: string): Promise<void> {
    await this.json('POST', '/api/address_change_password', { new_password: newHash });
  }

  async deleteAddress(): Promise<void> {
    await this.json('DELETE', '/api/delete_address');
  }

  /** Answers for `token` whatever the current address is: used before a token is remembered. */
  mailboxOf(token: string): Promise<{ address: string; send_balance: number }> {
    return this.json('GET', '/api/settings', undefined, { token });
  }

  mailbox(): Promise<{ address: string; send_balance: number }> {
    return this.json('GET', '/api/settings');
  }

  /** Asks for an allowance to send; throws what the service refused. */
  async requestSending(): Promise<void> {
    await this.json('POST', '/api/request_send_mail_access');
  }

  /** `fresh` is what the service says now, never what this browser has kept. */
  async inbox(query: InboxQuery = {}, signal?: AbortSignal, fresh = false): Promise<InboxPage> {
    const page = await this.json<InboxPage<BriefRow>>('GET', `/api/inbox/brief${search(query)}`, undefined, { signal, fresh });
    return { ...page, results: page.results.map(wholeRow) };
  }

  mail(id: number, remote = false, signal?: AbortSignal): Promise<Mail | null> {
    return this.json('GET', `/api/inbox/${id}${remote ? '?remote=1' : ''}`, undefined, { signal });
  }

  async mark(ids: readonly number[], flags: Flags): Promise<void> {
    if (ids.length === 1) await this.json('PATCH', `/api/mails/${ids[0]}`, { ...flags });
    else await this.json('POST', '/api/mails/mark', { ids, ...flags });
  }

  /** Deletes from the mailbox of `token`, which may no longer be the current one. `leaving` lets the request outlive the page. */
  async deleteMail(id: number, token: string, leaving: boolean): Promise<void> {
    await this.json('DELETE', `/api/mails/${id}`, undefined, { token, keepalive: leaving });
  }

  raw(id: number): Promise<Blob> {
    return this.blob(`/api/mails/${id}/raw`);
  }

  attachment(id: number, index: number): Promise<Blob> {
    return this.blob(`/api/mails/${id}/attachments/${index}`);
  }

  sent(query: { before_id?: number; limit?: number } = {}): Promise<SentPage> {
    return this.json('GET', `/api/sent${search({ limit: 50, ...query })}`);
  }

  sentMail(id: number): Promise<SentMail | null> {
    return this.json('GET', `/api/sent/${id}`);
  }

  /** An open event stream; the caller reads its body. */
  events(lastEventId: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastEventId) headers['Last-Event-ID'] = lastEventId;
    return this.request('GET', '/api/events', undefined, { signal, headers, patience: null });
  }

  /**
   * Any route that answers JSON; parts that come later ask for theirs by this. Where the service wants to know whether
   * this is a human, the proof is made and the request goes again; with `human` it goes along at once.
   */
  async json<T>(
    method: string,
    path: string,
    body?: Body,
    how: { token?: string; signal?: AbortSignal | undefined; keepalive?: boolean; human?: boolean; fresh?: boolean } = {},
  ): Promise<T> {
    const proved = async () => ({ ...body, cf_token: await this.prove!(this) });
    const answer = await this.request(method, path, how.human && this.prove ? await proved() : body, how).catch(async (error: unknown) => {
      if (how.human || !this.prove || !(error instanceof Refusal) || error.code !== ASKS_HUMAN) throw error;
      return this.request(method, path, await proved(), how);
    });
    return (await answer.json()) as T;
  }

  async blob(path: string): Promise<Blob> {
    // A download takes as long as it takes; only its beginning is bounded.
    return (await this.request('GET', path, undefined, {})).blob();
  }

  private async request(
    method: string,
    path: string,
    body: Body,
    how: {
      token?: string;
      signal?: AbortSignal | undefined;
      keepalive?: boolean;
      headers?: Record<string, string>;
      patience?: number | null;
      fresh?: boolean;
    },
  ): Promise<Response> {
    const patience = new AbortController();
    const limit = how.patience === undefined ? PATIENCE_MS : how.patience;
    const timer = limit === null ? undefined : setTimeout(() => patience.abort(), limit);
    const signal = how.signal ? AbortSignal.any([how.signal, patience.signal]) : patience.signal;
    const headers = this.headers(how.headers ?? {}, how.token);
    const text = body === undefined ? null : JSON.stringify(body);
    let answer: Response;
    try {
      answer = await (takeBegun(nameOf(method, path, headers, text)) ?? fetch(path, { ...PLAIN, method, headers, body: text, signal, keepalive: how.keepalive ?? false, ...(how.fresh ? { cache: 'reload' } : {}) }));
    } catch (cause) {
      if (how.signal?.aborted) throw cause;
      throw new Unreachable();
    } finally {
      clearTimeout(timer);
    }
    if (!answer.ok) {
      throw new Refusal(answer.status, await answer.text().catch(() => ''), answer.headers.get('X-Error-Code'));
    }
    return answer;
  }

  headers(more: Record<string, string>, token?: string): Record<string, string> {
    const keys = this.keys();
    return { ...headersFor({ ...keys, token: token ?? keys.token }, this.language(), PRINT), ...more };
  }
}

const EMPTY_ROW: Omit<MailRow, 'id' | 'created_at' | 'size'> = {
  from_address: '',
  from_name: '',
  subject: '',
  preview: '',
  seen: false,
  flagged: false,
  answered: false,
  attachment_count: 0,
  code: null,
  link: null,
};

/** A row of a list with what was left out because it is empty. */
export function wholeRow(row: BriefRow): MailRow {
  return { ...EMPTY_ROW, ...row };
}

/** `?a=1&b=2` of what is set; a true switch is `1`, a false one is left out. */
export function search(query: object): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, string | number | boolean | undefined][]) {
    if (value === undefined || value === '' || value === false) continue;
    pairs.set(name, value === true ? '1' : String(value));
  }
  const text = pairs.toString();
  return text ? `?${text}` : '';
}
