/** What is pressed in a frame, while the page that would hear it is on its way: the page does it when it is there. */

declare global {
  /** The names of what was pressed, until the page has taken the place of its frame. */
  var presses: string[] | undefined;
}

/** The class of a frame that stays before the eyes beside the page (`keep.ts`). */
export const KEPT = 'kept';

const PRESSED = 'button, [type=checkbox], [type=radio]';

/** The frame and the page show the same, so that it is found again by what it is, in which row, and called what. */
function nameOf(element: Element): string {
  const row = element.closest<HTMLElement>('[data-id]')?.dataset['id'];
  return `${element.tagName} ${(element as HTMLInputElement).type} ${row} ${element.getAttribute('aria-label') ?? (element.closest('label') ?? element).textContent?.trim()}`;
}

/** Notes what is pressed from now on. Pressed again out of impatience it counts once; ticked again it is as it was. */
export function notePresses(): void {
  const noted: string[] = (globalThis.presses = []);
  addEventListener(
    'click',
    ({ target }) => {
      const pressed = globalThis.presses && target instanceof Element && target.closest(`#page, .${KEPT}`) && target.closest(PRESSED);
      if (!pressed) return;
      const name = nameOf(pressed);
      const before = noted.indexOf(name);
      if (before < 0) noted.push(name);
      else if (pressed instanceof HTMLInputElement && pressed.type === 'checkbox') noted.splice(before, 1);
    },
    true,
  );
}

/** Presses in the page what was pressed in its frame. */
export function repeatPresses(target: HTMLElement): void {
  const noted = globalThis.presses ?? [];
  globalThis.presses = undefined;
  for (const name of noted) [...target.querySelectorAll<HTMLElement>(PRESSED)].find((one) => nameOf(one) === name)?.click();
}
