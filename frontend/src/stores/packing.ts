/** Several mails as one file. */

import { safeFilename, saveBlob } from '../lib/files';
import { instant } from '../lib/time';
import { zip, type Entry } from '../lib/zip';
import { t } from '../texts';
import { notices } from './notices.svelte';

/** Fetched at a time: enough to keep the line busy. */
const AT_ONCE = 4;

interface Packed {
  id: number;
  subject: string;
  created_at: string;
  /** The folder of the archive that the mail lies in. */
  folder?: string;
}

/** Saves the mails as a ZIP of .eml files, each fetched by `raw`; `progress` hears how many are there. */
export async function saveZip(rows: readonly Packed[], name: string, raw: (id: number) => Promise<Blob>, progress: (done: number) => void): Promise<void> {
  const entries: (Entry | null)[] = rows.map(() => null);
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let at = next++; at < rows.length; at = next++) {
      const row = rows[at]!;
      try {
        const bytes = new Uint8Array(await (await raw(row.id)).arrayBuffer());
        const file = `${safeFilename(row.subject || 'mail').slice(0, 80)}.eml`;
        entries[at] = { name: row.folder ? `${safeFilename(row.folder)}/${file}` : file, bytes, at: instant(row.created_at) };
      } catch {
        // Told below, together with the others that failed.
      }
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const whole = entries.filter((entry) => entry !== null);
  if (whole.length > 0) saveBlob(zip(whole), `${name}.zip`);
  if (whole.length < rows.length) notices.complain(t('zip.failed', { n: rows.length - whole.length }));
}
