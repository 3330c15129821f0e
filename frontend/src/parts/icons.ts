/** The signs of the page, drawn on a 24-unit grid: the inside of one `<symbol>` each. These lie in the document. */

import type { MORE_ICONS } from './moreIcons';

export const ICONS = {
  at: '<circle cx="12" cy="12" r="3.5"/><path d="M15.5 8.5v4.7a2.3 2.3 0 0 0 4.5-.9V12a8 8 0 1 0-3.2 6.4"/>',
  auto: '<circle cx="12" cy="12" r="8"/><path d="M12 4v16a8 8 0 0 0 0-16z" fill="currentColor"/>',
  check: '<path d="m5 12.8 4.4 4.4L19 7.4"/>',
  clip: '<path d="m19 11.5-7 7a4.6 4.6 0 0 1-6.5-6.5l7.5-7.5a3.1 3.1 0 0 1 4.4 4.4l-7.3 7.3a1.55 1.55 0 0 1-2.2-2.2l6.6-6.6"/>',
  copy: '<rect x="8.5" y="8.5" width="11" height="11" rx="2.2"/><path d="M15.5 8.5V6.7a2.2 2.2 0 0 0-2.2-2.2H6.7a2.2 2.2 0 0 0-2.2 2.2v6.6a2.2 2.2 0 0 0 2.2 2.2h1.8"/>',
  down: '<path d="m6.5 9.5 5.5 5.5 5.5-5.5"/>',
  draft: '<path d="M13.5 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9.5z"/><path d="M13.5 4v5.5H19M8.5 13.5h7M8.5 16.5h4.5"/>',
  external: '<path d="M13.5 5H19v5.5M19 5l-8.5 8.5M10 6H7a2 2 0 0 0-2 2v9a2 2 0 0 0 2 2h9a2 2 0 0 0 2-2v-3"/>',
  forward: '<path d="m14.5 5.5 5 5-5 5"/><path d="M19.5 10.5h-9a6 6 0 0 0-6 6v2"/>',
  globe: '<circle cx="12" cy="12" r="8"/><path d="M4 12h16M12 4c2.7 2.4 3.6 5 3.6 8s-.9 5.6-3.6 8c-2.7-2.4-3.6-5-3.6-8s.9-5.6 3.6-8z"/>',
  inbox: '<path d="M4 13.5 6.2 5.8A1.8 1.8 0 0 1 8 4.5h8a1.8 1.8 0 0 1 1.8 1.3L20 13.5v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2z"/><path d="M4 13.5h4.5a3.5 3.5 0 0 0 7 0H20"/>',
  key: '<circle cx="8" cy="15.5" r="3.7"/><path d="m10.7 12.8 8.5-8.3M15.5 8.2l2.7 2.7"/>',
  keyboard: '<rect x="3.5" y="6.5" width="17" height="11" rx="2"/><path d="M7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8.5 14h7"/>',
  left: '<path d="M14.5 6 8.5 12l6 6"/>',
  menu: '<path d="M4.5 7h15M4.5 12h15M4.5 17h15"/>',
  moon: '<path d="M19.5 14.2A8 8 0 1 1 9.8 4.5a6.4 6.4 0 0 0 9.7 9.7z"/>',
  more: '<path d="M6 12h.01M12 12h.01M18 12h.01" stroke-width="2.6"/>',
  pen: '<path d="M4.5 19.5 5.6 15 15.8 4.8a1.9 1.9 0 0 1 2.7 0l.7.7a1.9 1.9 0 0 1 0 2.7L9 18.4z"/><path d="m14 6.6 3.4 3.4"/>',
  plug: '<path d="M9 4v4.5M15 4v4.5M6.5 8.5h11v3a5.5 5.5 0 0 1-11 0zM12 17v3.5"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  refresh: '<path d="M19 12a7 7 0 0 1-12.3 4.5M5 12a7 7 0 0 1 12.3-4.5"/><path d="M17.5 4v3.7h-3.7M6.5 20v-3.7h3.7"/>',
  reply: '<path d="M9.5 5.5 4.5 10.5l5 5"/><path d="M4.5 10.5h9a6 6 0 0 1 6 6v2"/>',
  search: '<circle cx="11" cy="11" r="6.2"/><path d="m15.7 15.7 4 4"/>',
  send: '<path d="M20 4 10.5 13.5M20 4l-6 16-3.5-6.5L4 10z"/>',
  sliders: '<path d="M4.5 8h8M17 8h2.5M4.5 16H7M11.5 16h8"/><circle cx="14.7" cy="8" r="2.2"/><circle cx="9.2" cy="16" r="2.2"/>',
  star: '<path d="m12 4.2 2.4 4.9 5.4.8-3.9 3.8.9 5.4-4.8-2.6-4.8 2.6.9-5.4-3.9-3.8 5.4-.8z"/>',
  sun: '<circle cx="12" cy="12" r="3.6"/><path d="M12 3.5v2M12 18.5v2M3.5 12h2M18.5 12h2M6 6l1.4 1.4M16.6 16.6 18 18M6 18l1.4-1.4M16.6 7.4 18 6"/>',
  trash: '<path d="M5 7h14M9.5 7V4.8h5V7M7 7l.7 11.2a1.8 1.8 0 0 0 1.8 1.7h5a1.8 1.8 0 0 0 1.8-1.7L17 7M10.4 10.8v5.4M13.6 10.8v5.4"/>',
  up: '<path d="m6.5 14.5 5.5-5.5 5.5 5.5"/>',
  user: '<circle cx="12" cy="8.5" r="3.7"/><path d="M4.8 19.8a7.3 7.3 0 0 1 14.4 0"/>',
} as const;

/** These no frame shows: they come with the script of the page. */
export const PAGE_ICONS = {
  alert: '<path d="M12 4.5 3.8 18.7h16.4zM12 10v4M12 16.5h.01"/>',
  download: '<path d="M12 4.5v10M7.5 10.5l4.5 4.5 4.5-4.5M5 19.5h14"/>',
  eye: '<path d="M3 12s3.2-6 9-6 9 6 9 6-3.2 6-9 6-9-6-9-6z"/><circle cx="12" cy="12" r="2.6"/>',
  help: '<circle cx="12" cy="12" r="8"/><path d="M9.8 9.7a2.3 2.3 0 1 1 3.2 2.2c-.7.3-1 .8-1 1.6M12 16.2h.01"/>',
  offline: '<path d="M4 4.5 19.5 20M8.5 15.5a5 5 0 0 1 6.2-.6M5.5 12.3a9.4 9.4 0 0 1 4-2.4M13.5 9.6a9.4 9.4 0 0 1 5 2.7M12 19h.01"/>',
  undo: '<path d="M8.5 5 4.5 9l4 4M4.5 9h9a5.5 5.5 0 0 1 0 11H9"/>',
  x: '<path d="m6.5 6.5 11 11M17.5 6.5l-11 11"/>',
} as const;

export type IconName = keyof typeof ICONS | keyof typeof PAGE_ICONS | keyof typeof MORE_ICONS;

/** Signs for every Icon to refer to. */
export function spriteOf(icons: Readonly<Record<string, string>>): string {
  const shapes = Object.entries(icons).map(([name, shape]) => `<symbol id="i-${name}" viewBox="0 0 24 24">${shape}</symbol>`);
  return `<div class="sr" aria-hidden="true"><svg>${shapes.join('')}</svg></div>`;
}

/** Draws more of them, once. The markup is ours, never anybody's input. */
export function drawIcons(icons: Readonly<Record<string, string>>): void {
  document.body.insertAdjacentHTML('beforeend', spriteOf(icons));
}
