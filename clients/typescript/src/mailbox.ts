/** Open an address, wait for its mail, send from it. */
import { Refused, type CallerOptions } from "./caller.js";
import { Api, type LightRow, type MailBody, type OpenedMail } from "./generated.js";

/** The service answers a wait within a minute; longer ones are asked for piece by piece. */
const WAIT_PIECE = 45;

export interface Wishes {
  name?: string;
  domain?: string;
  /** Seconds after which the address ends; left out: never. */
  expires_in?: number;
}

export interface WaitOptions {
  /** How long to wait. 30 when left out. */
  seconds?: number;
  subject?: string;
  from?: string;
  contains?: string;
  withCode?: boolean;
  signal?: AbortSignal;
}

/** No mail that fits came in time. */
export class NoMail extends Error {
  constructor(address: string, seconds: number) {
    super(`no mail that fits came to ${address} within ${seconds} s`);
    this.name = "NoMail";
  }
}

/** A service at a URL. `api` has every call of its HTTP API. */
export class MailboxService {
  readonly api: Api;

  constructor(
    readonly url: string,
    private readonly options: CallerOptions = {},
  ) {
    this.api = new Api(url, options);
  }

  /** Open an address: the name that is wished for, or a random one. */
  async openAddress(wishes: Wishes = {}): Promise<Mailbox> {
    const opened = await this.api.postApiNewAddress({ body: wishes });
    return this.at(opened.address, opened.jwt);
  }

  /** An address that is open, by its token. */
  async mailbox(token: string): Promise<Mailbox> {
    const state = await new Api(this.url, { ...this.options, token }).getApiSettings();
    return this.at(state.address, token);
  }

  private at(address: string, token: string): Mailbox {
    return new Mailbox(new Api(this.url, { ...this.options, token }), address, token);
  }
}

/** One open address. `api` has every call about its mailbox. */
export class Mailbox {
  constructor(
    readonly api: Api,
    readonly address: string,
    readonly token: string,
  ) {}

  /** The oldest unread mail that fits, with its text, waiting for it if need be. It is marked as
   * read, so that the next call gives the next one. */
  async wait(options: WaitOptions = {}): Promise<LightRow> {
    const seconds = options.seconds ?? 30;
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const left = Math.max(0, (end - Date.now()) / 1000);
      const query = {
        after_id: 0,
        unread: 1,
        timeout: Math.round(Math.min(left, WAIT_PIECE)),
        ...(options.subject && { subject: options.subject }),
        ...(options.from && { from: options.from }),
        ...(options.contains && { q: options.contains }),
        ...(options.withCode && { codes: 1 }),
      };
      const how = options.signal ? { signal: options.signal } : {};
      const { mail } = await this.api.getApiMailsWait({ query }, how);
      if (mail) {
        await this.api.patchApiMailsId({ id: mail.id, body: { seen: true } });
        return mail;
      }
      if (left <= WAIT_PIECE) throw new NoMail(this.address, seconds);
    }
  }

  /** A page of the mailbox, newest first, without texts. */
  async mails(limit = 100, beforeId?: number): Promise<LightRow[]> {
    const query = { limit, ...(beforeId !== undefined && { before_id: beforeId }) };
    return (await this.api.getApiInbox({ query })).results;
  }

  /** One mail with text and sanitised HTML; null when it is not there. */
  open(id: number): Promise<OpenedMail | null> {
    return this.api.getApiInboxId({ id });
  }

  /** Send a mail from the address; it is queued when this returns. */
  send(mail: MailBody, idempotencyKey?: string) {
    const headers = idempotencyKey ? { headers: { "Idempotency-Key": idempotencyKey } } : {};
    return this.api.postApiSendMail({ body: mail }, headers);
  }

  /** Give the address up, with its mail. */
  async close(): Promise<void> {
    await this.api.deleteApiDeleteAddress();
  }

  /** Closes the address at the end of an `await using` block, where that is allowed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
}
