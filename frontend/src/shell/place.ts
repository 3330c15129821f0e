/** What has been filled into a frame (`fill.ts`). */
const FILLED = ['.rows', '.reader-head'];
/** What the page shows instead where there is nothing of that. */
const OTHERWISE = '.empty, .hero, .door';
/** The page has its answers by then, or says that it waits for them. */
const LONGEST_MS = 1000;

/** The page takes the place of its frame: `make` puts it there. What was typed meanwhile is typed in the page, too. */
export function takePlace(target: HTMLElement, make: () => void): void {
  const typed = new Map([...target.querySelectorAll<HTMLInputElement>('input[id]')].map((input) => [input.id, input.value]));
  const focused = target.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest<HTMLElement>('.row[data-id]')?.dataset['id'];
  const focus = row === undefined ? focused?.id : undefined;
  const filled = FILLED.filter((part) => target.querySelector(part));
  const scrolled = target.querySelector('.list-scroll')?.scrollTop ?? 0;
  // What can be read already is not to go away before it is there again.
  const old = document.createElement('div');
  if (filled.length > 0) {
    old.append(...target.childNodes);
    target.before(old);
    target.hidden = true;
  }
  target.replaceChildren();
  make();
  for (const input of target.querySelectorAll<HTMLInputElement>('input[id]')) {
    const text = typed.get(input.id);
    if (!text) continue;
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
  const show = () => {
    const height = scrollY;
    old.remove();
    target.hidden = false;
    if (row !== undefined) target.querySelector<HTMLElement>(`.row[data-id="${row}"] .row-open`)?.focus({ preventScroll: true });
    else if (focus) document.getElementById(focus)?.focus();
    target.querySelector('.list-scroll')?.scrollTo({ top: scrolled });
    if (height > 0) scrollTo({ top: height });
  };
  if (filled.length === 0) return show();
  const there = () => target.querySelector(OTHERWISE) || filled.every((part) => target.querySelector(part));
  const done = () => {
    observer.disconnect();
    clearTimeout(timer);
    show();
  };
  // It is told before anything is painted.
  const observer = new MutationObserver(() => there() && done());
  const timer = setTimeout(done, LONGEST_MS);
  observer.observe(target, { childList: true, subtree: true });
}
