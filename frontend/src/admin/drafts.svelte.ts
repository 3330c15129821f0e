/** Settings that are being changed. What was typed outlives the form that it was typed into. */

import { inWords } from '../lib/refusal';
import { admin } from './admin.svelte';
import { sameSetting, valueAt, withValue, type Values } from './fields';

export interface Shape {
  path: string;
  /** From what the service answers, and back into what it takes. */
  read?: (answer: unknown) => Values;
  write?: (values: Values) => object;
  /** Secrets are not kept beyond the page. */
  secret?: boolean;
}

const KEPT = 'mailbox.admin.changes ';

/** One resource of settings. Several forms may show parts of it; each saves its own keys and no other. */
export class SettingsDraft {
  saved = $state.raw<Values | null>(null);
  /** Why they could not be read the last time, in words. */
  unread = $state('');
  /** What was changed and not saved, by key. */
  changes = $state.raw<Values>({});

  constructor(private readonly shape: Shape) {
    if (shape.secret) return;
    try {
      const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT + shape.path) ?? 'null');
      if (typeof kept === 'object' && kept !== null) this.changes = kept as Values;
    } catch {
      // Nothing was kept.
    }
  }

  value(key: string): unknown {
    if (key in this.changes) return this.changes[key];
    return this.saved ? valueAt(this.saved, key) : undefined;
  }

  set(key: string, value: unknown): void {
    const { [key]: _, ...rest } = this.changes;
    this.keep(this.saved && sameSetting(valueAt(this.saved, key), value) ? rest : { ...rest, [key]: value });
  }

  changed(keys: readonly string[]): string[] {
    return keys.filter((key) => key in this.changes);
  }

  discard(keys: readonly string[]): void {
    this.keep(Object.fromEntries(Object.entries(this.changes).filter(([key]) => !keys.includes(key))));
  }

  /** Throws what the service refused. */
  async load(): Promise<void> {
    try {
      this.saved = this.read(await admin.api.json<unknown>('GET', this.shape.path));
      this.unread = '';
    } catch (error) {
      this.unread = inWords(error);
      throw error;
    }
    this.discard(Object.keys(this.changes).filter((key) => sameSetting(valueAt(this.saved!, key), this.changes[key])));
  }

  /** Puts the changed ones among these keys upon what is stored now, whoever changed that meanwhile; what the service answered. */
  async save(keys: readonly string[] = Object.keys(this.changes)): Promise<unknown> {
    let values = this.read(await admin.api.json<unknown>('GET', this.shape.path));
    const mine = this.changed(keys);
    for (const key of mine) values = withValue(values, key, this.changes[key]);
    const body = this.shape.write ? this.shape.write(values) : values;
    const answer = await admin.api.json<unknown>('POST', this.shape.path, body as Values);
    this.saved = values;
    this.discard(mine);
    return answer;
  }

  private read(answer: unknown): Values {
    if (this.shape.read) return this.shape.read(answer);
    return typeof answer === 'object' && answer !== null ? (answer as Values) : {};
  }

  private keep(changes: Values): void {
    this.changes = changes;
    if (this.shape.secret) return;
    try {
      if (Object.keys(changes).length > 0) sessionStorage.setItem(KEPT + this.shape.path, JSON.stringify(changes));
      else sessionStorage.removeItem(KEPT + this.shape.path);
    } catch {
      // Too much for this browser: it stays on the page.
    }
  }
}

const drafts = new Map<string, SettingsDraft>();

export function settingsDraft(shape: Shape): SettingsDraft {
  let draft = drafts.get(shape.path);
  if (!draft) {
    draft = new SettingsDraft(shape);
    drafts.set(shape.path, draft);
  }
  return draft;
}

export function unsavedSettings(): boolean {
  return [...drafts.values()].some((draft) => Object.keys(draft.changes).length > 0);
}
