/** DNS records of the domains that are served: what they should be, and what was found. */

import { t } from '../texts';
import type { Told } from '../lib/told';

export type RecordState = 'right' | 'missing' | 'different' | 'unknown';

export interface DnsRecord {
  purpose: string;
  type: string;
  name: string;
  value: string;
  required: boolean;
  why: string;
  why_told: Told;
  found?: string[];
  state?: RecordState;
  message?: string;
  message_told?: Told;
}

export interface Domain {
  domain: string;
  records: DnsRecord[];
}

export interface Checked extends Domain {
  checked_at: string;
}

/** A text record holds pieces of 255 octets at most (RFC 1035 §3.3.14). */
const PIECE = 255;

/** Words in the place of a name or an address that only the reader knows. */
export function isPhrase(text: string): boolean {
  return /\s/.test(text.trim());
}

/** A phrase in the place of a value, in the language of the page. */
export function phraseOf(record: DnsRecord, text: string): string {
  if (record.purpose === 'host') return t('told.host-address');
  if (record.purpose === 'ptr') return t('told.address-of', { host: record.value.replace(/\.$/, '') });
  return text;
}

/** What a zone file would say; what is no record of the zone (a policy file, a reverse name) is left out. */
export function zoneFile(records: readonly DnsRecord[]): string {
  return records
    .filter((record) => /^(A|AAAA|CNAME|MX|TXT|SRV|TLSA)$/i.test(record.type) && record.name !== '' && !isPhrase(record.name) && !(isPhrase(record.value) && /^(A|AAAA|CNAME)$/i.test(record.type)))
    .map((record) => `${record.name.replace(/\.?$/, '.')}\tIN\t${record.type.toUpperCase()}\t${written(record)}`)
    .join('\n');
}

function written(record: DnsRecord): string {
  if (/^(MX|CNAME|SRV)$/i.test(record.type)) return record.value.replace(/([A-Za-z0-9])$/, '$1.');
  if (!/^TXT$/i.test(record.type)) return record.value;
  const pieces = record.value.match(new RegExp(`.{1,${PIECE}}`, 'gs')) ?? [''];
  return pieces.map((piece) => `"${piece.replace(/["\\]/g, '\\$&')}"`).join(' ');
}

/** How many of the needed ones are right. */
export function standing(records: readonly DnsRecord[]): { right: number; all: number } {
  const needed = records.filter((record) => record.required);
  return { right: needed.filter((record) => record.state === 'right').length, all: needed.length };
}
