/**
 * Where drafts and their files wait between visits. Files do not fit into localStorage, and what stands there is written to
 * disk up to a minute later: a browser that is killed takes the last words along. IndexedDB has them at once.
 */

import type { Draft } from './draft';

const NAME = 'mailbox-drafts';

type Store = 'files' | 'drafts';

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 2);
    request.onupgradeneeded = () => {
      for (const store of ['files', 'drafts']) if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('no database'));
  });
}

async function within<T>(name: Store, mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await database();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = db.transaction(name, mode);
      const request = work(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('not stored'));
    });
  } finally {
    db.close();
  }
}

export async function keepFile(id: string, file: Blob): Promise<void> {
  await within('files', 'readwrite', (store) => store.put(file, id));
}

export async function findFile(id: string): Promise<Blob | null> {
  return ((await within('files', 'readonly', (store) => store.get(id))) as Blob | undefined) ?? null;
}

export async function dropFile(id: string): Promise<void> {
  await within('files', 'readwrite', (store) => store.delete(id));
}

/** Drops what no draft names any more. */
export async function dropFilesExcept(wanted: ReadonlySet<string>): Promise<void> {
  const ids = (await within('files', 'readonly', (store) => store.getAllKeys())) as string[];
  for (const id of ids) if (!wanted.has(id)) await dropFile(id);
}

export async function keepDraft(draft: Draft): Promise<void> {
  await within('drafts', 'readwrite', (store) => store.put(draft, draft.id));
}

export async function keptDrafts(): Promise<unknown> {
  return within('drafts', 'readonly', (store) => store.getAll());
}

export async function dropDraft(id: string): Promise<void> {
  await within('drafts', 'readwrite', (store) => store.delete(id));
}
