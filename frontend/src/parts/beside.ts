/** What a mailbox needs soon, though not at once. */

export { default as AddressMenu } from './AddressMenu.svelte';
export { default as DraftCount } from './DraftCount.svelte';
export { default as RailLinks } from './RailLinks.svelte';
export { default as SourceLink } from './SourceLink.svelte';
