/** The time of day for everything that says "in 4 min": it moves on every half minute. */

const STEP_MS = 30_000;

class Now {
  value = $state.raw(new Date());

  constructor() {
    setInterval(() => (this.value = new Date()), STEP_MS);
  }
}

export const now = new Now();
