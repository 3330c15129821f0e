import { repeatPresses } from './presses';

declare global {
  /** Where a frame has been filled (`keep.ts`): takes aside what stands there, and returns what gives its place to the page. */
  var keeping: ((target: HTMLElement) => ((shown: () => void) => void) | null) | undefined;
}

/** The page takes the place of its frame: `make` puts it there. What was typed and pressed meanwhile is typed and pressed in the page, too. */
export function takePlace(target: HTMLElement, make: () => void): void {
  const typed = new Map([...target.querySelectorAll<HTMLInputElement>('input[id]')].map((input) => [input.id, input.value]));
  const focus = target.contains(document.activeElement) ? document.activeElement?.id : undefined;
  const give = globalThis.keeping?.(target);
  target.replaceChildren();
  make();
  for (const input of target.querySelectorAll<HTMLInputElement>('input[id]')) {
    const text = typed.get(input.id);
    if (!text) continue;
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
  const taken = () => {
    if (focus) document.getElementById(focus)?.focus();
    repeatPresses(target);
  };
  if (give) give(taken);
  else taken();
}
