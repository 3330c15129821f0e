/**
 * What the administration takes the answers of the service for, held against the service's own description of them.
 *
 * Nothing here runs; `svelte-check` fails when the two part ways (as in wire.check.ts).
 */

import type * as Service from '../../clients/typescript/src/generated';
import type { Entry, KnownAction } from '../src/admin/audit';
import type { Delivery, DeliveryDetail } from '../src/admin/deliveries';
import type { Checked, Domain } from '../src/admin/domains';
import type { Figures } from '../src/admin/figures';
import type { Provider } from '../src/admin/providers';
import type { Told } from '../src/lib/told';
import type { QueueFilter, QueuePage, QueueStory } from '../src/admin/queue';
import type { Mail, SentMail } from '../src/lib/wire';

/** Words of a closed list are plain text in the description. */
type Loose<Type> = Type extends string ? string : Type extends (infer One)[] ? Loose<One>[] : Type extends object ? { [Key in keyof Type]: Loose<Type[Key]> } : Type;

/** An answer of the service can be read as what the page takes it for. */
type Answers<Answer extends Loose<Wanted>, Wanted> = [Answer, Wanted];
/** What the page sends is something that the service takes. */
type Takes<Sent extends Body, Body> = [Sent, Body];

export type Answered = [
  Answers<Service.FiguresOverTime, Figures>,
  Answers<Service.QueueList, QueuePage>,
  Answers<Service.WaitingStory, QueueStory>,
  Answers<Service.OwnDomains, { results: Domain[] }>,
  Answers<Service.CheckedDomain, Checked>,
  Answers<Service.DeliveryPage, { results: Delivery[]; count: number; next_before_id: number | null }>,
  Answers<Service.OpenedDeliveryRow, DeliveryDetail>,
  Answers<Service.AuditPage, { results: Entry[]; count: number; next_before_id: number | null }>,
  Answers<Service.KnownActions, { results: KnownAction[] }>,
  Answers<Service.OpenedMail, Mail>,
  Answers<Service.OpenedSentMail, SentMail>,
  Answers<Service.FirstStepsList, { steps: { key: string; done: boolean; title: string; message: string; title_told: Told; message_told: Told }[] }>,
];
export type Sent = [Takes<{ filter: QueueFilter }, Service.QueueAct>, Takes<{ ids: number[] }, Service.QueueAct>, Takes<Provider, Service.ProviderRow>];
