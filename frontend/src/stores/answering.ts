/** Beginning a mail as an answer, or passing one on. Comes with the reader. */

import { answerTo, forwardHead, forwardSubject, quoteLines, referencesFor, replySubject } from '../lib/quoting';
import { inWords } from '../lib/refusal';
import { instant, wholeTime } from '../lib/time';
import type { Mail } from '../lib/wire';
import { language, t } from '../texts';
import { drafts } from './drafts.svelte';
import { notices } from './notices.svelte';
import { place } from './place.svelte';
import { session } from './session.svelte';

export const answer = {
  reply(mail: Mail, all: boolean): void {
    const own = session.current?.address ?? '';
    const date = wholeTime(instant(mail.created_at), language());
    const who = mail.from_name || mail.from_address;
    const draft = drafts.make({
      ...answerTo(mail, own, all),
      subject: replySubject(mail.subject),
      quoted: mail.text.trim() ? `${t('quote.head', { who, date })}\n${quoteLines(mail.text)}` : '',
      inReplyTo: mail.message_id ?? '',
      references: referencesFor(mail),
      answers: mail.id,
    });
    place.go({ view: 'compose', draft: draft.id });
  },

  /** The files of the mail go along. */
  forward(mail: Mail): void {
    const words = {
      begin: t('forward.begin'),
      from: t('field.from'),
      date: t('field.date'),
      subject: t('field.subject'),
      to: t('field.to'),
    };
    const head = forwardHead(mail, wholeTime(instant(mail.created_at), language()), words);
    const draft = drafts.make({
      subject: forwardSubject(mail.subject),
      quoted: `${head}\n\n${mail.text}`,
      references: referencesFor(mail),
    });
    place.go({ view: 'compose', draft: draft.id });
    if (mail.attachments.length > 0) drafts.bring(draft.id, carryFiles(mail, draft.id));
  },
};

/** Tells which file could not be taken along, and why; '' when all were. */
async function carryFiles(mail: Mail, draftId: string): Promise<string> {
  let trouble = '';
  for (const part of mail.attachments) {
    try {
      const blob = await session.api.attachment(mail.id, part.index);
      const name = part.filename || t('attachment.unnamed', { n: part.index + 1 });
      await drafts.attach(draftId, new File([blob], name, { type: part.mime_type }));
    } catch (error) {
      trouble = t('forward.file-lost', { name: part.filename, why: inWords(error) });
      notices.complain(trouble);
    }
  }
  return trouble;
}
