/** How full the current mailbox is, as far as it was asked. */

import type { Usage } from '../lib/room';
import { session } from './session.svelte';

class Room {
  usage = $state.raw<Usage | null>(null);
  private of = '';

  /** Throws what the service refused. */
  async load(): Promise<void> {
    const address = session.current?.address ?? '';
    if (address !== this.of) this.usage = null;
    this.of = address;
    const usage = await session.api.json<Usage>('GET', '/api/usage');
    if (address === this.of) this.usage = usage;
  }
}

export const room = new Room();
