/** The parts of the page that a first visit does without. Each comes with its words. */

import { drawIcons } from './parts/icons';
import type { Area } from './texts/tables.svelte';
import { notices } from './stores/notices.svelte';
import { t, withTexts } from './texts';

let drawn = false;

/** A part with its words, and with the signs that the document lacks. */
async function part<Module>(areas: readonly Area[], module: Promise<Module>, moreSigns = true): Promise<Module> {
  const icons = drawn || !moreSigns ? null : import('./parts/moreIcons');
  const loaded = await withTexts(areas, module);
  if (icons) {
    const { MORE_ICONS } = await icons;
    if (!drawn) drawIcons(MORE_ICONS);
    drawn = true;
  }
  return loaded;
}

export const later = {
  compose: () => part(['mail', 'more'], import('./views/Compose.svelte')),
  rich: () => part(['mail'], import('./parts/RichText.svelte')),
  sent: () => part(['mail'], import('./views/Sent.svelte')),
  drafts: () => part(['mail'], import('./views/Drafts.svelte')),
  settings: () => part(['mail', 'more'], import('./views/Settings.svelte')),
  simple: () => part(['mail', 'more'], import('./views/Simple.svelte')),
  connect: () => part(['mail', 'more'], import('./views/Connect.svelte')),
  list: () => part([], import('./views/Mailbox.svelte'), false),
  beside: () => part(['account'], import('./parts/beside'), false),
  reader: () => part(['mail'], import('./parts/MailReader.svelte')),
  source: () => part(['mail', 'more'], import('./parts/told')),
  dialogs: () => part(['mail'], import('./parts/dialogs')),
  account: () => part(['mail', 'more', 'account'], import('./account/Account.svelte')),
  admin: () => part(['mail', 'more', 'account', 'admin', 'adminSettings', 'adminOperate', 'adminTold', 'adminSending'], import('./admin/Admin.svelte')),
  write: () => part([], import('./admin/Write.svelte'), false),
  sending: () => part([], import('./admin/sending'), false),
  telegram: () => part(['mail', 'telegram'], import('./telegram/Telegram.svelte')),
  announcement: () => part(['mail'], import('./parts/Announcement.svelte')),
  footer: () => part([], import('./parts/Footer.svelte'), false),
  preview: () => part(['mail', 'more'], import('./parts/PreviewDialog.svelte')),
  human: () => part(['more'], import('./human/prove')),
  door: () => part(['mail'], import('./views/Door.svelte')),
};

/** Does something when a part has come. One that does not come is told of, and may be asked for again. */
export function having(part: Promise<unknown>, act: () => void): void {
  part.then(act, () => notices.complain(t('error.chunk')));
}
