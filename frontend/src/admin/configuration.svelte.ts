/** The configuration in force, as the service tells it: read once, without secrets. */

import { t } from '../texts';
import { admin } from './admin.svelte';

class Configuration {
  values = $state.raw<Record<string, unknown> | null>(null);
  private asked: Promise<void> | null = null;

  /** Something of it was changed: whoever shows it next asks anew. */
  forget(): void {
    this.asked = null;
    void this.load();
  }

  /** Whoever shows it asks; a failure is asked again by the next. */
  load(): Promise<void> {
    const read = (path: string) => admin.api.json<Record<string, unknown>>('GET', path);
    this.asked ??= Promise.all([read('/admin/worker/configs'), read('/admin/file_settings')])
      .then(([values, more]) => void (this.values = { ...values, ...more }))
      .catch(() => void (this.asked = null));
    return this.asked;
  }
}

export const configuration = new Configuration();

/** A value as people say it: no brackets, no quotes. */
export function inPlainWords(value: unknown): string {
  if (value === true) return t('admin.yes');
  if (value === false) return t('admin.no');
  if (value === null || value === undefined || value === '') return t('set.none');
  if (Array.isArray(value)) return value.length === 0 ? t('set.none') : value.map(inPlainWords).join(', ');
  if (typeof value === 'object') {
    const parts = Object.entries(value).filter(([, one]) => one !== '' && one !== null && !(Array.isArray(one) && one.length === 0));
    return parts.map(([key, one], at) => (at === 0 ? inPlainWords(one) : `${key} ${inPlainWords(one)}`)).join(' · ');
  }
  return String(value);
}
