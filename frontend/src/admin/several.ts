/** Acts on many rows of a list. */

/** So many of several requests are under way at a time. */
const AT_ONCE = 4;

export interface Outcome<One> {
  done: readonly One[];
  failed: readonly { one: One; error: unknown }[];
}

/** The same for each of them, a few at a time: one that fails keeps none of the others back. `step` hears of each that has
    ended, and what has not begun when it says false is left as it is. */
export async function several<One>(some: readonly One[], act: (one: One) => Promise<unknown>, step: (ended: number) => boolean): Promise<Outcome<One>> {
  const done: One[] = [];
  const failed: { one: One; error: unknown }[] = [];
  let next = 0;
  let going = true;
  const work = async () => {
    while (going && next < some.length) {
      const one = some[next++]!;
      try {
        await act(one);
        done.push(one);
      } catch (error) {
        failed.push({ one, error });
      }
      if (!step(done.length + failed.length)) going = false;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, some.length) }, work));
  return { done, failed };
}
