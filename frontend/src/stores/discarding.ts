/** Throwing drafts away, with a way back. */

import { isBlank, type Draft } from '../lib/draft';
import { t } from '../texts';
import { drafts } from './drafts.svelte';
import { notices, UNDO_MS } from './notices.svelte';

/** `back` is done when it has come back. */
export function discard(gone: Draft, back: () => void = () => undefined): void {
  drafts.remove(gone.id);
  if (isBlank(gone)) return;
  const timer = setTimeout(() => void drafts.forget(gone), UNDO_MS);
  notices.offerUndo(t('draft.discarded'), 'trash', () => {
    clearTimeout(timer);
    notices.dismiss();
    drafts.keep(gone, false);
    back();
  });
}
