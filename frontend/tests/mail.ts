import type { FullRow, Mail } from '../src/lib/wire';

/** A row with everything a test does not care about. */
export function aRow(part: Partial<FullRow> = {}): FullRow {
  return {
    id: 1,
    address: 'me@inbox.example',
    source: 'lena@northlane.example',
    from_name: 'Lena Brandt',
    from_address: 'lena@northlane.example',
    to: 'me@inbox.example',
    subject: 'Contract',
    preview: '',
    created_at: '2026-11-21 10:00:00',
    size: 1000,
    message_id: '<m1@northlane.example>',
    seen: false,
    flagged: false,
    answered: false,
    attachment_count: 0,
    code: null,
    codes: [],
    link: null,
    links: [],
    ...part,
  };
}

export function aMail(part: Partial<Mail> = {}): Mail {
  return {
    ...aRow(),
    text: 'Hello',
    html: '',
    remote_count: 0,
    headers: [],
    attachments: [],
    reply_to: '',
    cc: '',
    in_reply_to: '',
    references: '',
    ...part,
  };
}
