/**
 * The page's idea of the HTTP API, held against the service's own description of it.
 *
 * Nothing here runs. `svelte-check` fails when an answer of the service is no longer what `wire.ts` says, or when the
 * service no longer takes what the page sends. The right side is written by `make docs` out of docs/api/openapi.json.
 */

import type * as Service from '../../clients/typescript/src/generated';
import type * as Page from '../src/lib/wire';

/** Words of a closed list are plain text in the description. */
type Loose<Type> = Type extends string ? string : Type extends (infer One)[] ? Loose<One>[] : Type extends object ? { [Key in keyof Type]: Loose<Type[Key]> } : Type;

/** An answer of the service can be read as what the page takes it for. */
type Answers<Answer extends Loose<Wanted>, Wanted> = [Answer, Wanted];
/** What the page sends is something that the service takes. */
type Takes<Sent extends Body, Body> = [Sent, Body];

export type Answered = [
  // The connection facts are an open object in the description: an operator may write them by hand.
  Answers<Service.SiteSettings, Omit<Page.ServiceSettings, 'smtpImapProxyConfig'>>,
  Answers<Service.NewAddress, Page.NewAddress>,
  Answers<Service.BriefPage, Page.InboxPage<Page.BriefRow>>,
  Answers<Service.InboxPage, Page.InboxPage<Page.FullRow>>,
  Answers<Service.OpenedMail, Page.Mail>,
  Answers<Service.SentPage, Page.SentPage>,
  Answers<Service.OpenedSentMail, Page.SentMail>,
  Answers<Service.SendingQueued, Page.Accepted>,
];
export type Sent = [Takes<Page.Flags, Service.Marks>, Takes<Page.Submission, Service.MailBody>, Takes<Page.AddressWish, Service.AddressWish>];
