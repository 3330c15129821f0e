/** A token that proves a human, as the service wants it. Loaded where it asks. */

import { mount, unmount } from 'svelte';
import type { Api } from '../lib/api';
import HumanDialog from './HumanDialog.svelte';

/** Rejects when the visitor closes the window. */
export async function prove(api: Api): Promise<string> {
  const settings = await api.settings();
  return new Promise<string>((resolve, reject) => {
    const end = (act: () => void) => {
      void unmount(dialog);
      act();
    };
    const dialog = mount(HumanDialog, {
      target: document.body,
      props: {
        api,
        settings,
        done: (token: string) => end(() => resolve(token)),
        stopped: () => end(() => reject(new DOMException('The question was not answered', 'AbortError'))),
      },
    });
  });
}
