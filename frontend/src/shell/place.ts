import { KEPT, repeatPresses } from './presses';

declare global {
  /** Where a frame has been filled (`keep.ts`): resolves when the page shows the same, with what is to be done when it is seen. */
  var keeping: ((frame: HTMLElement, page: HTMLElement) => Promise<() => void>) | undefined;
}

/**
 * The page takes the place of its frame: `make` puts it together unseen, while the frame stays before the eyes. What was
 * typed and pressed meanwhile is typed and pressed in the page, too.
 */
export async function takePlace(frame: HTMLElement, make: (page: HTMLElement) => Promise<void>): Promise<void> {
  const page = document.createElement('div');
  page.id = frame.id;
  page.hidden = true;
  frame.removeAttribute('id');
  frame.className = KEPT;
  frame.after(page);
  let seen: (() => void) | undefined;
  try {
    await make(page);
    seen = await globalThis.keeping?.(frame, page);
  } finally {
    const typed = [...frame.querySelectorAll<HTMLInputElement>('input[id]')].filter(({ value }) => value);
    const focus = frame.contains(document.activeElement) ? document.activeElement?.id : undefined;
    frame.remove();
    page.hidden = false;
    for (const { id, value } of typed) {
      const input = page.querySelector<HTMLInputElement>(`input[id="${id}"]`);
      if (!input) continue;
      input.value = value;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }
    seen?.();
    if (focus) document.getElementById(focus)?.focus();
    repeatPresses(page);
  }
}
