import { describe, expect, it } from 'vitest';
import { clampSplit, LEAST_LIST, mostList, splitByKey } from '../src/lib/split';

describe('the line between list and mail', () => {
  it.each([
    [10, 1000, LEAST_LIST],
    [400.4, 1000, 400],
    [900, 1000, 648],
    // A window too narrow for both keeps the list.
    [300, 400, LEAST_LIST],
  ])('at %i of %i stands at %i', (pixels, whole, stands) => expect(clampSplit(pixels, whole)).toBe(stands));

  it.each([
    ['ArrowLeft', 384],
    ['ArrowRight', 416],
    ['Home', LEAST_LIST],
    ['End', mostList(1000)],
    ['Enter', 0],
    ['j', null],
  ])('%s moves it to %s', (key, to) => expect(splitByKey(key, 400, 1000)).toBe(to));
});
