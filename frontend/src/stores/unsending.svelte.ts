/** Deleting sent mail with a way back. Comes with the view of sent mail. */

import { inWords } from '../lib/refusal';
import { t } from '../texts';
import { notices, UNDO_MS } from './notices.svelte';
import { sent } from './sent.svelte';
import { session } from './session.svelte';

interface Deletion {
  ids: readonly number[];
  /** The key of the mailbox that they were sent from. */
  token: string;
  timer: ReturnType<typeof setTimeout>;
}

/** Asked for at a time; the service need not see a hundred requests at once. */
const AT_ONCE = 4;

class Unsending {
  private waiting: readonly Deletion[] = [];

  constructor() {
    addEventListener('pagehide', () => {
      for (const deletion of this.waiting) void this.finish(deletion, true);
    });
  }

  /** Out of sight now, gone in some seconds: until then there is a way back. */
  remove(ids: readonly number[]): void {
    const gone = ids.filter((id) => !sent.hidden.has(id) && sent.rows.some((row) => row.id === id));
    if (gone.length === 0) return;
    sent.hidden = new Set([...sent.hidden, ...gone]);
    const deletion: Deletion = {
      ids: gone,
      token: session.current?.jwt ?? '',
      timer: setTimeout(() => void this.finish(deletion, false), UNDO_MS),
    };
    this.waiting = [...this.waiting, deletion];
    notices.offerUndo(t('deleted', { n: gone.length }), 'trash', () => this.restore(deletion));
  }

  /** Takes the latest deletion back. */
  undo(): void {
    const latest = this.waiting.at(-1);
    if (latest) this.restore(latest);
  }

  private restore(deletion: Deletion): void {
    if (!this.waiting.includes(deletion)) return;
    this.settle(deletion);
    this.show(deletion.ids);
    notices.dismiss();
    notices.announce(t('deleted.undone', { n: deletion.ids.length }));
  }

  private async finish(deletion: Deletion, leaving: boolean): Promise<void> {
    this.settle(deletion);
    const { ids, token } = deletion;
    let failure: unknown;
    let next = 0;
    const done: number[] = [];
    const work = async () => {
      for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
        try {
          await session.api.json('DELETE', `/api/sendbox/${id}`, undefined, { token, keepalive: leaving });
          done.push(id);
        } catch (error) {
          failure = error;
        }
      }
    };
    // A page that goes away has no time to ask one after the other.
    await Promise.all(Array.from({ length: leaving ? ids.length : AT_ONCE }, work));
    if (session.current?.jwt === token) {
      sent.rows = sent.rows.filter((row) => !done.includes(row.id));
      // How many are left, the service knows; a list that was on its way might count those that are gone.
      if (!leaving) await sent.load();
    }
    this.show(ids);
    if (failure) notices.complain(inWords(failure));
  }

  private settle(deletion: Deletion): void {
    clearTimeout(deletion.timer);
    this.waiting = this.waiting.filter((one) => one !== deletion);
  }

  private show(ids: readonly number[]): void {
    sent.hidden = new Set([...sent.hidden].filter((id) => !ids.includes(id)));
  }
}

export const unsending = new Unsending();
