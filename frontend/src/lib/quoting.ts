/** Answers and forwards as mail programs have always written them. */

import type { Person } from './people';
import { readPeople, sameAddress } from './people';
import type { Mail } from './wire';

/** `Re: ` once, in whatever language the other side wrote it. */
export function replySubject(subject: string): string {
  return /^\s*(?:re|aw|sv|antw|odp|回复|答复|返信)\s*(?:\[\d+\])?\s*[:：]/i.test(subject) ? subject : `Re: ${subject}`;
}

export function forwardSubject(subject: string): string {
  return /^\s*(?:fwd?|wg|tr|转发|転送)\s*[:：]/i.test(subject) ? subject : `Fwd: ${subject}`;
}

/** `> ` before every line, without a space before what is quoted already (RFC 3676 §4.5). */
export function quoteLines(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/\n+$/, '')
    .split('\n')
    .map((line) => (line.startsWith('>') ? `>${line}` : line === '' ? '>' : `> ${line}`))
    .join('\n');
}

/** References grow by the parent, and keep the first and the newest when they grow too long (RFC 5322 §3.6.4). */
export function referencesFor(mail: Pick<Mail, 'references' | 'in_reply_to' | 'message_id'>): string {
  const MOST = 50;
  const ids: string[] = (mail.references || mail.in_reply_to || '').match(/<[^<>\s]+>/g) ?? [];
  if (mail.message_id && !ids.includes(mail.message_id)) ids.push(mail.message_id);
  const kept = ids.length > MOST ? [ids[0]!, ...ids.slice(-(MOST - 1))] : ids;
  return kept.join(' ');
}

/** Who an answer goes to. `all` adds the others of To and Cc; we never write to ourselves unless we wrote it. */
export function answerTo(mail: Mail, own: string, all: boolean): { to: Person[]; cc: Person[] } {
  const author: Person = { name: mail.from_name, address: mail.from_address };
  const asked = mail.reply_to ? readPeople(mail.reply_to) : [];
  const to = asked.length > 0 ? asked : author.address ? [author] : [];
  if (!all) return { to, cc: [] };
  const taken = [own, ...to.map((person) => person.address)];
  const others = (people: Person[]) =>
    people.filter((person) => {
      if (taken.some((address) => sameAddress(address, person.address))) return false;
      taken.push(person.address);
      return true;
    });
  return { to: [...to, ...others(readPeople(mail.to))], cc: others(readPeople(mail.cc)) };
}

/** The head of a forwarded mail, as text. `words` are the names of the fields in the reader's language. */
export function forwardHead(
  mail: Mail,
  date: string,
  words: { begin: string; from: string; date: string; subject: string; to: string },
): string {
  const from = mail.from_name ? `${mail.from_name} <${mail.from_address}>` : mail.from_address;
  return [
    `---------- ${words.begin} ----------`,
    `${words.from}: ${from}`,
    `${words.date}: ${date}`,
    `${words.subject}: ${mail.subject}`,
    `${words.to}: ${mail.to}`,
  ].join('\n');
}
