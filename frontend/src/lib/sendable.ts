/** Whether a draft may leave. */

import { body, fileBytes, MOST_FILE_BYTES, MOST_RECIPIENTS, type Draft } from './draft';
import { faultOf } from './people';

export type DraftFault = 'no-recipient' | 'bad-recipient' | 'too-many' | 'no-content' | 'too-big';

/** The first thing that keeps the draft from leaving, or null. */
export function draftFault(draft: Draft): DraftFault | null {
  const people = [...draft.to, ...draft.cc, ...draft.bcc];
  // The wire asks for a To; naming a Bcc there would show it to all others.
  if (draft.to.length === 0) return 'no-recipient';
  if (people.some((person) => faultOf(person.address))) return 'bad-recipient';
  if (people.length > MOST_RECIPIENTS) return 'too-many';
  if (fileBytes(draft) > MOST_FILE_BYTES) return 'too-big';
  if (body(draft).trim() === '' && draft.files.length === 0 && !(draft.source && draft.html?.trim())) return 'no-content';
  return null;
}
