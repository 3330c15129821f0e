/** What the page tells of a mail or a mailbox when there is reason to: one file, for few visits need any of it. */

export { default } from './SourceDialog.svelte';
export { default as Judged } from './Judged.svelte';
export { default as RoomNote } from './RoomNote.svelte';
