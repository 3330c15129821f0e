import { afterEach, describe, expect, it, vi } from 'vitest';
import { giveWay, oneByOne, pieces } from '../src/lib/pieces.svelte';

afterEach(() => vi.unstubAllGlobals());

/** What happens, in the order in which it does. */
function noting(visibilityState: string): string[] {
  vi.stubGlobal('document', { visibilityState });
  vi.stubGlobal('scheduler', undefined);
  return [];
}

describe('pieces', () => {
  it('are all there where nobody counts', () => expect(pieces.there).toBe(Infinity));

  it('let what waits have its turn between them', async () => {
    const order = noting('visible');
    setTimeout(() => order.push('a press'));
    await oneByOne(() => order.push(String(pieces.there)));
    expect(order.slice(0, 3)).toEqual(['0', 'a press', '1']);
    expect(order).toHaveLength(8);
    pieces.there = Infinity;
  });

  it('come at once in a page that is not looked at, whose clocks go slowly', async () => {
    const order = noting('hidden');
    setTimeout(() => order.push('a clock'));
    await giveWay();
    expect(order).toEqual([]);
  });
});
