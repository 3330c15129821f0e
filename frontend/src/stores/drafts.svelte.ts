/** Mails being written. They are kept in this browser at every pause, so that nothing written is lost. */

import { emptyDraft, isBlank, randomId, type Draft, type DraftFile } from '../lib/draft';
import { recall, remember } from '../lib/memory';
import { session } from './session.svelte';

const DRAFTS = 'mailbox.drafts';

const TYPING_MS = 300;

function isDrafts(value: unknown): value is Draft[] {
  return (
    Array.isArray(value) &&
    value.every((one) => typeof one?.id === 'string' && Array.isArray(one.to) && Array.isArray(one.files) && typeof one.text === 'string')
  );
}

class Drafts {
  list = $state.raw<readonly Draft[]>(recall(DRAFTS, [], isDrafts));
  /** False when the browser could not keep the last change. */
  kept = $state(true);

  /** Drafts that files are on their way into; each promise tells what could not be taken along, '' for nothing. */
  coming = $state.raw<ReadonlyMap<string, Promise<string>>>(new Map());

  /** Files of this visit; those of earlier visits come out of IndexedDB. */
  private readonly files = new Map<string, Blob>();
  /** Drafts that have changed since they were last written. */
  private readonly unsaved = new Set<string>();
  private resting: ReturnType<typeof setTimeout> | undefined;
  private readonly atFirst = this.list;
  private box: Promise<typeof import('../lib/filebox')> | undefined;
  private readonly removed = new Set<string>();
  /** Resolves when what a killed browser could not keep in the list is back in it. */
  readonly whole = this.restore();

  constructor() {
    addEventListener('pagehide', () => this.flush());
    // A phone may end a page in the background without another word.
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.flush());
    addEventListener('storage', (event) => {
      // Another tab writes too; what is only here (typed this moment, or just opened) stays.
      if (event.key !== DRAFTS) return;
      const own = this.list.filter((one) => isBlank(one) || this.unsaved.has(one.id));
      const theirs = recall<Draft[]>(DRAFTS, [], isDrafts);
      this.list = [...own, ...theirs.filter((one) => !own.some((mine) => mine.id === one.id))];
    });
  }

  find(id: string): Draft | null {
    return this.list.find((draft) => draft.id === id) ?? null;
  }

  /** A new draft; it enters the list when something has been written. */
  make(start: Partial<Draft> = {}): Draft {
    const draft = { ...emptyDraft(session.current?.address ?? ''), ...start };
    this.list = [draft, ...this.list.filter((one) => !isBlank(one))];
    this.unsaved.add(draft.id);
    this.store();
    return draft;
  }

  /** Keeps a change. Changed content gets a new key: what the old key sent was another mail. */
  keep(draft: Draft, changed: boolean): Draft {
    const next = { ...draft, savedAt: Date.now(), ...(changed ? { key: randomId() } : {}) };
    this.list = this.list.some((one) => one.id === next.id)
      ? this.list.map((one) => (one.id === next.id ? next : one))
      : [next, ...this.list];
    this.unsaved.add(next.id);
    this.store();
    return next;
  }

  /** Out of the list; its files stay until `forget`, so that it can come back by `keep`. */
  remove(id: string): void {
    this.list = this.list.filter((one) => one.id !== id);
    this.removed.add(id);
    this.flush();
    void this.boxed((box) => box.dropDraft(id));
  }

  async forget(draft: Draft): Promise<void> {
    for (const file of draft.files) await this.dropFile(file.id);
  }

  async addFile(file: File): Promise<DraftFile> {
    const entry = { id: randomId(), name: file.name, type: file.type, size: file.size };
    this.files.set(entry.id, file);
    // Private windows may have no database; the file then lives as long as the page.
    await this.boxed((box) => box.keepFile(entry.id, file));
    return entry;
  }

  /** Has a draft wait for files that `work` puts into it: it is not sent without them. */
  bring(id: string, work: Promise<string>): void {
    const all = Promise.all([this.coming.get(id) ?? '', work]).then((said) => said.filter(Boolean).join(' '));
    this.coming = new Map(this.coming).set(id, all);
    void all.finally(() => {
      if (this.coming.get(id) === all) this.coming = new Map([...this.coming].filter(([one]) => one !== id));
    });
  }

  /** A file enters its draft, unless that was thrown away meanwhile. */
  async attach(id: string, file: File): Promise<void> {
    const entry = await this.addFile(file);
    const draft = this.find(id);
    if (draft) this.keep({ ...draft, files: [...draft.files, entry] }, true);
  }

  async dropFile(id: string): Promise<void> {
    this.files.delete(id);
    await this.boxed((box) => box.dropFile(id));
  }

  /** Which of the draft's files can no longer be found in this browser. */
  async missingFiles(draft: Draft): Promise<DraftFile[]> {
    const missing: DraftFile[] = [];
    for (const file of draft.files) if (!(await this.blobOf(file))) missing.push(file);
    return missing;
  }

  /** The content of a file, when this browser still has it. */
  async blobOf(file: DraftFile): Promise<Blob | null> {
    const here = this.files.get(file.id);
    if (here) return here;
    const kept = await this.boxed((box) => box.findFile(file.id));
    if (kept) this.files.set(file.id, kept);
    return kept;
  }

  /** A visit without drafts has nothing to restore, and asks for nothing. */
  private async restore(): Promise<void> {
    try {
      if ((await indexedDB.databases()).some(({ name }) => name === 'mailbox-drafts')) await this.filebox();
    } catch {
      // A browser without such a store keeps drafts in localStorage alone.
    }
  }

  /** Private windows may have no database: what cannot be kept then lives as long as the page. */
  private boxed<T>(work: (box: typeof import('../lib/filebox')) => Promise<T>): Promise<T | null> {
    return this.filebox().then(work).catch(() => null);
  }

  /** Few visits write. The first that does takes over what is newer there, and drops files whose draft is gone. */
  private filebox(): Promise<typeof import('../lib/filebox')> {
    return (this.box ??= import('../lib/filebox').then(async (box) => {
      const kept = await box.keptDrafts().catch(() => []);
      for (const draft of isDrafts(kept) ? kept : []) {
        const here = this.find(draft.id);
        if (!this.removed.has(draft.id) && (here?.savedAt ?? 0) < draft.savedAt) this.list = [draft, ...this.list.filter((one) => one !== here)];
      }
      const named = [...this.atFirst, ...this.list].flatMap((draft) => draft.files.map((file) => file.id));
      await box.dropFilesExcept(new Set([...this.files.keys(), ...named])).catch(() => undefined);
      return box;
    }));
  }

  private store(): void {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.flush(), TYPING_MS);
  }

  /** Writes now: before the page goes away. Otherwise drafts are written when the fingers rest. */
  flush(): void {
    clearTimeout(this.resting);
    const written = this.list.filter((draft) => !isBlank(draft));
    this.kept = remember(DRAFTS, written);
    for (const draft of written) if (this.unsaved.has(draft.id)) void this.boxed((box) => box.keepDraft(draft));
    if (this.kept) this.unsaved.clear();
  }
}

export const drafts = new Drafts();
