/** Signs of the parts that are loaded when they are asked for. */

export const MORE_ICONS = {
  audit: '<path d="M6.5 4h9A2.5 2.5 0 0 1 18 6.5V20H8a2.5 2.5 0 0 1-2.5-2.5V5A1 1 0 0 1 6.5 4zM5.5 17.5A2.5 2.5 0 0 1 8 15h10M9 8h5.5M9 11h3.5"/>',
  chart: '<path d="M4.5 4.5v13a2 2 0 0 0 2 2h13"/><path d="m8 14.5 3.5-4 3 2.5 4.5-6"/>',
  clock: '<circle cx="12" cy="12" r="8"/><path d="M12 7.5V12l3 2"/>',
  file: '<path d="M13.5 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9.5z"/><path d="M13.5 4v5.5H19"/>',
  hook: '<circle cx="7" cy="16.5" r="3"/><circle cx="17" cy="16.5" r="3"/><circle cx="12" cy="7.5" r="3"/><path d="m10.6 10.2-2.2 3.7M13.4 10.2l2.2 3.7M10 16.5h4"/>',
  image: '<rect x="4" y="5" width="16" height="14" rx="2.2"/><circle cx="9" cy="10" r="1.4"/><path d="m5 17.5 4.5-4 3 2.5 3-3L20 16.5"/>',
  info: '<circle cx="12" cy="12" r="8"/><path d="M12 11v5M12 8.2h.01"/>',
  lock: '<rect x="5.5" y="11" width="13" height="9" rx="2.2"/><path d="M8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>',
  pause: '<path d="M9 6v12M15 6v12" stroke-width="2.2"/>',
  qr: '<path d="M4.5 4.5h6v6h-6zM13.5 4.5h6v6h-6zM4.5 13.5h6v6h-6zM13.5 13.5h2v2h-2zM17.5 17.5h2v2h-2zM17.5 13.5h2M13.5 19.5v-1.5"/>',
  queue: '<path d="m12 4.5 8 4-8 4-8-4z"/><path d="m4 12.3 8 4 8-4M4 16l8 4 8-4"/>',
  quote: '<path d="M9.5 7C7 7.8 5.5 9.8 5.5 12.8V17h4.7v-4.7H7.7M18.5 7c-2.5.8-4 2.8-4 5.8V17h4.7v-4.7h-2.5"/>',
  raw: '<path d="m8.5 7.5-4.5 4.5 4.5 4.5M15.5 7.5 20 12l-4.5 4.5"/>',
  replyall: '<path d="M7 5.5 2.5 10.5 7 15.5M12 5.5 7.5 10.5l4.5 5"/><path d="M7.5 10.5h7a6 6 0 0 1 6 6v2"/>',
} as const;
