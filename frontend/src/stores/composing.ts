/** Beginning a new mail. */

import { place } from './place.svelte';

export const compose = {
  async blank(): Promise<void> {
    const { drafts } = await import('./drafts.svelte');
    place.go({ view: 'compose', draft: drafts.make().id });
  },
};
