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

declare global {
  /** The frame is being filled with the first answers. */
  var filling: Promise<unknown> | undefined;
}

/** Resolves when what the first answers say has been seen, too; whoever answers late is not waited for. */
export async function seen(): Promise<void> {
  await painted();
  if (!globalThis.filling || document.visibilityState === 'hidden') return;
  const late = new Promise((resolve) => setTimeout(resolve, LONGEST_MS));
  await Promise.race([globalThis.filling.then(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))), late]);
}
