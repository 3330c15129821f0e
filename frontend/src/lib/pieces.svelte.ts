/** The page is put together piece by piece, so that a slow phone has its hands free between two of them. */

/** More are not to be seen at once. */
const SEEN = 6;

class Pieces {
  /** How many are there; none is missing when the page is drawn while it is built, and after it has been seen. */
  there = $state(Infinity);
}

export const pieces = new Pieces();

/** What waits to be done, or to be painted, comes first. Nobody waits for a page that is not looked at, and its clocks go slowly. */
export function giveWay(): Promise<void> {
  if (document.visibilityState === 'hidden') return Promise.resolve();
  return (globalThis.scheduler as Scheduler | undefined)?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));
}

/** Lets the pieces come one after the other; `drawn` is called for each. */
export async function oneByOne(drawn: () => void): Promise<void> {
  for (pieces.there = 0; ; pieces.there += 1) {
    drawn();
    if (pieces.there === SEEN) return;
    await giveWay();
  }
}
