/** What has been filled into a frame stays before the eyes until the page shows the same. */

/** What `fill.ts` puts in. */
const FILLED = ['.rows', '.reader-head'];
/** What the page shows instead where there is nothing of that. */
const OTHERWISE = '.empty, .hero, .door';
/** The page has its answers by then, or says that it waits for them. */
const LONGEST_MS = 1000;

/** Resolves when the page shows what its frame does. What it resolves with takes the focus and the scrolling over. */
export async function keep(frame: HTMLElement, page: HTMLElement): Promise<() => void> {
  const filled = FILLED.filter((part) => frame.querySelector(part));
  const there = () => filled.every((part) => page.querySelector(`${part}:not([aria-busy="true"])`)) || page.querySelector(OTHERWISE);
  if (!there())
    await new Promise<void>((resolve) => {
      // It is told before anything is painted.
      const observer = new MutationObserver(() => there() && done());
      const done = () => {
        observer.disconnect();
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, LONGEST_MS);
      observer.observe(page, { childList: true, subtree: true, attributeFilter: ['aria-busy'] });
    });
  const row = document.activeElement?.closest<HTMLElement>('.row[data-id]')?.dataset['id'];
  const list = frame.querySelector('.list-scroll')?.scrollTop ?? 0;
  const height = scrollY;
  return () => {
    if (row) page.querySelector<HTMLElement>(`.row[data-id="${row}"] .row-open`)?.focus({ preventScroll: true });
    if (list > 0) page.querySelector('.list-scroll')?.scrollTo({ top: list });
    if (height > 0) scrollTo({ top: height });
  };
}
