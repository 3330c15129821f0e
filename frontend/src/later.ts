/** The parts of the page that a first visit does without. Each comes with its words. */

import { withTexts } from './texts';

export const later = {
  compose: () => withTexts(['mail', 'more'], import('./views/Compose.svelte')),
  rich: () => withTexts(['mail'], import('./parts/RichText.svelte')),
  sent: () => withTexts(['mail'], import('./views/Sent.svelte')),
  drafts: () => withTexts(['mail'], import('./views/Drafts.svelte')),
  connect: () => withTexts(['mail'], import('./views/Connect.svelte')),
  reader: () => withTexts(['mail'], import('./parts/MailReader.svelte')),
  source: () => withTexts(['mail'], import('./parts/SourceDialog.svelte')),
  dialogs: () => withTexts(['mail'], import('./parts/dialogs')),
  door: () => withTexts(['mail'], import('./views/Door.svelte')),
};
