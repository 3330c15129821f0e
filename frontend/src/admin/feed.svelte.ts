/** A list that goes back in time: newest first, older ones when they are asked for. */

import { search } from '../lib/api';
import { inWords } from '../lib/refusal';
import { admin } from './admin.svelte';

interface Page<Row> {
  results: Row[];
  count: number;
  next_before_id: number | null;
}

export type Query = Record<string, string>;

export class Feed<Row extends { id: number }, More extends object = object> {
  rows = $state.raw<readonly Row[]>([]);
  count = $state(0);
  loaded = $state(false);
  working = $state(false);
  trouble = $state('');
  /** What the first page told besides its rows. */
  first = $state.raw<More | null>(null);
  private next = $state<number | null>(null);
  private query: Query = {};
  /** The answer to an older question comes too late. */
  private question = 0;

  constructor(
    private readonly path: string,
    private readonly size = 50,
  ) {}

  get hasMore(): boolean {
    return this.next !== null;
  }

  async load(query: Query = this.query): Promise<void> {
    this.query = query;
    await this.ask(null);
  }

  async more(): Promise<void> {
    if (this.next !== null) await this.ask(this.next);
  }

  private async ask(before: number | null): Promise<void> {
    const mine = ++this.question;
    this.working = true;
    try {
      const page = await admin.api.json<Page<Row> & More>('GET', `${this.path}${search({ limit: this.size, ...this.query, ...(before === null ? {} : { before_id: before }) })}`);
      if (mine !== this.question) return;
      this.rows = before === null ? page.results : [...this.rows, ...page.results];
      this.next = page.next_before_id;
      if (before === null) {
        this.count = page.count;
        this.first = page;
      }
      this.loaded = true;
      this.trouble = '';
    } catch (error) {
      if (mine === this.question) this.trouble = inWords(error);
    } finally {
      if (mine === this.question) this.working = false;
    }
  }
}
