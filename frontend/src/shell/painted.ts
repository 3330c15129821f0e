/** A page that is not looked at is never painted. */
const LONGEST_MS = 1000;

/** Resolves when the frame of the page has been seen, so that the work of the page does not keep it from being painted. */
export function painted(): Promise<void> {
  if (document.visibilityState === 'hidden' || performance.getEntriesByType('paint').length > 0) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, LONGEST_MS);
    requestAnimationFrame(() => setTimeout(resolve));
  });
}
