/** What has been filled into a frame stays before the eyes until the page shows the same. */

import { KEPT } from './presses';

/** What `fill.ts` puts in. */
const FILLED = ['.rows', '.reader-head'];
/** What the page shows instead where there is nothing of that. */
const OTHERWISE = '.empty, .hero, .door';
/** The page has its answers by then, or says that it waits for them. */
const LONGEST_MS = 1000;

/** Takes the frame aside, and hides the place of the page. Returns what undoes both when the page is there, and calls `shown` then. */
export function keep(target: HTMLElement): ((shown: () => void) => void) | null {
  const filled = FILLED.filter((part) => target.querySelector(part));
  if (filled.length === 0) return null;
  const row = document.activeElement?.closest<HTMLElement>('.row[data-id]')?.dataset['id'];
  const scrolled = target.querySelector('.list-scroll')?.scrollTop ?? 0;
  const old = document.createElement('div');
  old.className = KEPT;
  old.append(...target.childNodes);
  target.before(old);
  target.hidden = true;
  return (shown) => {
    const show = () => {
      observer.disconnect();
      clearTimeout(timer);
      const height = scrollY;
      old.remove();
      target.hidden = false;
      if (row) target.querySelector<HTMLElement>(`.row[data-id="${row}"] .row-open`)?.focus({ preventScroll: true });
      target.querySelector('.list-scroll')?.scrollTo({ top: scrolled });
      if (height > 0) scrollTo({ top: height });
      shown();
    };
    const there = () => target.querySelector(OTHERWISE) || filled.every((part) => target.querySelector(part));
    // It is told before anything is painted.
    const observer = new MutationObserver(() => there() && show());
    const timer = setTimeout(show, LONGEST_MS);
    observer.observe(target, { childList: true, subtree: true });
    if (there()) show();
  };
}
