/** The configuration in force, as the service tells it: read once, without secrets. */

import { admin } from './admin.svelte';

class Configuration {
  values = $state.raw<Record<string, unknown> | null>(null);
  private asked: Promise<void> | null = null;

  /** Whoever shows it asks; a failure is asked again by the next. */
  load(): Promise<void> {
    this.asked ??= admin.api
      .json<Record<string, unknown>>('GET', '/admin/worker/configs')
      .then((values) => void (this.values = values))
      .catch(() => void (this.asked = null));
    return this.asked;
  }
}

export const configuration = new Configuration();
