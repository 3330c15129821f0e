/** Beginning a new mail. */

import { drafts } from './drafts.svelte';
import { place } from './place.svelte';

export const compose = {
  blank(): void {
    place.go({ view: 'compose', draft: drafts.make().id });
  },
};
