/** A page that is not looked at is never painted. */
const LONGEST_MS = 1000;

/** Resolves when the frame of the page has been seen, so that the work of the page does not keep it from being painted. */
export function painted(): Promise<void> {
  if (document.visibilityState === 'hidden') return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, LONGEST_MS);
    // It tells when the picture has reached the screen.
    new PerformanceObserver((told) => told.getEntriesByName('first-contentful-paint').length > 0 && resolve()).observe({ type: 'paint', buffered: true });
  });
}
