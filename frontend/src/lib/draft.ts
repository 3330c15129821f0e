/** A mail being written: plain data, so that it survives a reload. */

import type { Person } from './people';

export interface DraftFile {
  id: string;
  name: string;
  type: string;
  size: number;
}

export interface Draft {
  id: string;
  /** The address it is written from; a draft never changes mailbox by itself. */
  from: string;
  to: Person[];
  cc: Person[];
  bcc: Person[];
  /** How the sender is called; empty for the bare address. */
  fromName?: string;
  subject: string;
  /** The words; those of `html` when the letter is formatted. */
  text: string;
  /** The formatted letter, cleaned; missing or null while it is plain text. */
  html?: string | null;
  /** `html` is typed as HTML, and goes out as it was typed. */
  source?: boolean;
  /** What is answered or forwarded, below the text; empty for a new mail. */
  quoted: string;
  files: DraftFile[];
  inReplyTo: string;
  references: string;
  /** The mail that is answered, to be marked as answered. */
  answers: number | null;
  /** What stands in a box of recipients and is not one yet. */
  typed?: Partial<Record<'to' | 'cc' | 'bcc', string>>;
  savedAt: number;
  /** Names this very content towards the service: the same key never sends twice. */
  key: string;
}

/** Recipients that one submission may name; the service judges finally. */
export const MOST_RECIPIENTS = 100;

/** All files of one draft together: base64 adds a third, and the whole must stay below 50 MiB. */
export const MOST_FILE_BYTES = 36_000_000;

export function emptyDraft(from: string): Draft {
  return {
    id: randomId(),
    from,
    to: [],
    cc: [],
    bcc: [],
    subject: '',
    text: '',
    quoted: '',
    files: [],
    inReplyTo: '',
    references: '',
    answers: null,
    savedAt: 0,
    key: randomId(),
  };
}

/** Nothing in it that a person would miss. */
export function isBlank(draft: Draft): boolean {
  return (
    draft.to.length + draft.cc.length + draft.bcc.length + draft.files.length === 0 &&
    draft.subject.trim() === '' &&
    draft.text.trim() === '' &&
    Object.values(draft.typed ?? {}).join('') === '' &&
    !(draft.source && draft.html?.trim()) &&
    draft.quoted === ''
  );
}

export function fileBytes(draft: Draft): number {
  return draft.files.reduce((sum, file) => sum + file.size, 0);
}

/** Text and quote as one body. */
export function body(draft: Draft): string {
  if (!draft.quoted) return draft.text;
  return draft.text.trimEnd() === '' ? draft.quoted : `${draft.text.trimEnd()}\n\n${draft.quoted}`;
}

/** 128 random bits as text; `crypto.randomUUID` is missing where the page comes over plain HTTP. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
