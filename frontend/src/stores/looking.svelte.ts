/** Looks for mail from time to time while the open line is down. While the line is up there is nothing to look for. */

import { inbox } from './inbox.svelte';

/** A break shorter than this is mended before anybody would read about it. */
const PATIENCE_MS = 2500;

class Looking {
  /** The line has been down for longer than a moment. */
  needed = $state(false);
  /** Seconds until the next look, where looks find the service though the line does not; otherwise null. */
  left = $state<number | null>(null);

  /** A break of the line has begun: looks at once, and then every so many seconds, 0 for never. Returns what ends it. */
  begin(every: number): () => void {
    let ended = false;
    let next = Infinity;
    const look = async () => {
      next = Infinity;
      const answered = await inbox.refresh(true);
      if (ended) return;
      next = Date.now() + every * 1000;
      this.left = answered ? every : null;
    };
    const patience = setTimeout(() => {
      this.needed = true;
      if (every > 0) void look();
    }, PATIENCE_MS);
    const ticking = setInterval(() => {
      const now = Date.now();
      if (now >= next) void look();
      else if (this.left !== null && next < Infinity) this.left = Math.ceil((next - now) / 1000);
    }, 1000);
    return () => {
      ended = true;
      clearTimeout(patience);
      clearInterval(ticking);
      this.needed = false;
      this.left = null;
    };
  }
}

export const looking = new Looking();
