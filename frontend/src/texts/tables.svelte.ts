/** The tables in use. A change of language is seen by everything on the screen at once. */

import { untrack } from 'svelte';
import { page } from './en/page';
import type { Forms } from './forms';
import { found, type Language } from './languages';

export type Area = 'page' | 'mail' | 'more' | 'account' | 'admin' | 'telegram' | 'adminSettings' | 'adminOperate' | 'adminTold' | 'adminSending';
type Entries = Readonly<Record<string, string | Forms>>;
type Load = () => Promise<Record<string, Entries>>;

/** English of the frame comes with the page; every other table is a file of its own, fetched when it is needed. */
const files = import.meta.glob(['./*/*.ts', '!./en/page.ts', '!./*/admin*.ts', '!./*/telegram.ts']) as Record<string, Load>;

class Tables {
  language = $state<Language>('en');
  entries = $state.raw<Entries>(page);
  private readonly open = new Set<Area>(['page']);

  /** Brings the texts of an area. Throws when they cannot be loaded. */
  async need(area: Area): Promise<void> {
    if (this.open.has(area)) return;
    // Whoever asks is not to be asked again when the language changes: `choose` brings every open area.
    const tag = untrack(() => this.language);
    const table = await load(tag, area);
    // Another language may have been chosen meanwhile.
    if (tag !== untrack(() => this.language)) return this.need(area);
    this.open.add(area);
    this.entries = { ...this.entries, ...table };
  }

  /** Changes the language of everything that is shown. Throws when it cannot be loaded; nothing has changed then. */
  async choose(tag: Language): Promise<void> {
    if (tag === this.language) return;
    const tables = await Promise.all([...this.open].map((area) => load(tag, area)));
    this.entries = Object.assign({}, ...tables) as Entries;
    this.language = tag;
  }

  /** The first language of the list that there is a table for. */
  async chooseFirst(wishes: readonly string[]): Promise<void> {
    const tag = found(wishes);
    // Without its table (a lost connection) the page speaks English rather than not at all.
    await this.choose(tag).catch(() => undefined);
  }
}

async function load(tag: Language, area: Area): Promise<Entries> {
  if (tag === 'en' && area === 'page') return page;
  const path = `./${tag}/${area}.ts`;
  const file = files[path] ?? (await import('./rareTables')).files[path];
  if (!file) throw new Error(`no texts ${tag}/${area}`);
  return (await file())[area] ?? {};
}

export const tables = new Tables();
