/** The dialogs of the frame, loaded together when the first of them is asked for. */

export { default as NewAddressDialog } from './NewAddressDialog.svelte';
export { default as OpenAddressDialog } from './OpenAddressDialog.svelte';
export { default as ShortcutsDialog } from './ShortcutsDialog.svelte';
