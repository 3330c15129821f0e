/** What is shown of the sending API, loaded when an administrator goes there. */

export { default as SendingDesk } from './SendingDesk.svelte';
export { default as SendingList } from './SendingList.svelte';
export { hooks } from './sendingAreas';
