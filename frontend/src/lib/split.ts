/** How wide the list beside a mail may be, in pixels. */

/** Narrower, a row would lose its sender; the mail keeps what its acts need. */
export const LEAST_LIST = 256;
const LEAST_MAIL = 352;

const STEP = 16;

export function mostList(whole: number): number {
  return Math.max(LEAST_LIST, whole - LEAST_MAIL);
}

export function clampSplit(pixels: number, whole: number): number {
  return Math.round(Math.min(mostList(whole), Math.max(LEAST_LIST, pixels)));
}

/** Where a key moves the line to; 0 is where the page would put it, null means no key of ours. */
export function splitByKey(key: string, now: number, whole: number): number | null {
  switch (key) {
    case 'ArrowLeft':
      return clampSplit(now - STEP, whole);
    case 'ArrowRight':
      return clampSplit(now + STEP, whole);
    case 'Home':
      return LEAST_LIST;
    case 'End':
      return mostList(whole);
    case 'Enter':
      return 0;
    default:
      return null;
  }
}
