/**
 * The page's idea of the HTTP API, held against the service's own description of it.
 *
 * Nothing here runs. `svelte-check` fails when an answer of the service is no longer what `wire.ts` says, or when the
 * service no longer takes what the page sends. The right side is written by `make docs` out of docs/api/openapi.json.
 */

import type * as Service from '../../clients/typescript/src/generated';
import type { BoundAddress, Me, OpenSettings, Passkey } from '../src/account/account.svelte';
import type { OpenAddress } from '../src/lib/addresses';
import type { Authentication, Extracted } from '../src/lib/judged';
import type { Forwarding } from '../src/lib/onward';
import type { Usage } from '../src/lib/room';
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
  Answers<Service.Authentication, Authentication>,
  Answers<Service.Extracted, Extracted>,
  Answers<Service.ForwardingState, Loose<Forwarding>>,
  Answers<Service.Usage, Usage>,
  Answers<Service.LoggedIn, OpenAddress>,
  Answers<Service.MailboxState, { address: string; send_balance: number }>,
  // Accounts. What is left out when it is not so (`is_admin`, a role) is asked for as such.
  Answers<Service.OpenSettings, OpenSettings>,
  Answers<Service.AccountState, Omit<Me, 'is_admin' | 'user_role'>>,
  Answers<Service.AddressPage, { results: BoundAddress[]; count: number }>,
  Answers<Service.PasskeyRow, Passkey>,
  // The mini app
  Answers<Service.HeldRow, OpenAddress>,
  Answers<Service.OpenedRow, Page.NewAddress>,
];
export type Sent = [Takes<Page.Flags, Service.Marks>, Takes<Page.Submission, Service.MailBody>, Takes<Page.AddressWish, Service.AddressWish>];
