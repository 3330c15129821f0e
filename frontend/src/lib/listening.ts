/** When a key is meant for the page, and not for what has the focus. */

export function isForThePage(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  if (document.querySelector('dialog[open]')) return false;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  if (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return target instanceof HTMLInputElement && target.type === 'checkbox' && event.key !== ' ';
  return event.key !== 'Enter' || target.closest('a, button') === null;
}
