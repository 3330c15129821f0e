/** The page takes the place of its frame: `make` puts it there. What was typed meanwhile is typed in the page, too. */
export function takePlace(target: HTMLElement, make: () => void): void {
  const typed = new Map([...target.querySelectorAll<HTMLInputElement>('input[id]')].map((input) => [input.id, input.value]));
  const focus = target.contains(document.activeElement) ? document.activeElement?.id : '';
  target.replaceChildren();
  make();
  for (const input of target.querySelectorAll<HTMLInputElement>('input[id]')) {
    const text = typed.get(input.id);
    if (!text) continue;
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
  if (focus) document.getElementById(focus)?.focus();
}
