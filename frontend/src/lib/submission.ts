/** A draft as the service takes it. */

import { body, type Draft } from './draft';
import type { Person } from './people';
import { mailHtml } from './rich';
import type { Submission } from './wire';

/** The wire form; `contents` holds each file's base64 by its id. */
export function submission(draft: Draft, contents: ReadonlyMap<string, string>): Submission {
  const addresses = (people: Person[]) => people.map((person) => person.address);
  // A mail that only carries files still needs a body (mailbox API §10.2).
  const content = body(draft).trim() === '' ? '\n' : body(draft);
  return {
    from_name: draft.fromName ?? '',
    to_name: draft.to.length === 1 ? draft.to[0]!.name : '',
    to_mail: addresses(draft.to),
    cc: addresses(draft.cc),
    bcc: addresses(draft.bcc),
    subject: draft.subject.trim(),
    ...(draft.html ? { content: mailHtml(draft.html, draft.quoted), is_html: true, text: content } : { content, is_html: false }),
    ...(draft.inReplyTo ? { in_reply_to: draft.inReplyTo } : {}),
    ...(draft.references ? { references: draft.references } : {}),
    attachments: draft.files.map((file) => ({
      filename: file.name,
      content: contents.get(file.id) ?? '',
      type: file.type || 'application/octet-stream',
      disposition: 'attachment' as const,
    })),
  };
}
