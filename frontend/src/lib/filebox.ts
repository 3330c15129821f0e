/** Where the files of drafts wait between visits: IndexedDB, because files do not fit into localStorage. */

const STORE = 'files';

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('mailbox-drafts', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('no database'));
  });
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await database();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('not stored'));
    });
  } finally {
    db.close();
  }
}

export async function keepFile(id: string, file: Blob): Promise<void> {
  await within('readwrite', (store) => store.put(file, id));
}

export async function findFile(id: string): Promise<Blob | null> {
  return ((await within('readonly', (store) => store.get(id))) as Blob | undefined) ?? null;
}

export async function dropFile(id: string): Promise<void> {
  await within('readwrite', (store) => store.delete(id));
}

/** Drops what no draft names any more. */
export async function dropFilesExcept(wanted: ReadonlySet<string>): Promise<void> {
  const ids = (await within('readonly', (store) => store.getAllKeys())) as string[];
  for (const id of ids) if (!wanted.has(id)) await dropFile(id);
}
