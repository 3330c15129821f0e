/** The language that the page speaks: the address says it, else this browser's memory, else the browser. */

import { isText, recall, remember } from '../lib/memory';
import { inLanguage, readPath } from '../lib/paths';
import type { Language } from '../texts/languages';
import { tables } from '../texts/tables.svelte';

const KEPT = 'mailbox.language';

export const speech = {
  async start(): Promise<void> {
    const { language } = readPath(location.pathname);
    if (language) remember(KEPT, language);
    await tables.chooseFirst([...(language ? [language] : []), recall(KEPT, '', isText), ...navigator.languages]);
    document.documentElement.lang = tables.language;
  },

  /** Throws when the words cannot be loaded; the page then speaks on as before. */
  async choose(language: Language): Promise<void> {
    await tables.choose(language);
    remember(KEPT, language);
    document.documentElement.lang = language;
    history.replaceState(history.state, '', inLanguage(location.pathname, language) + location.search + location.hash);
  },
};
