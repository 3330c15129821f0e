/** Statements of one's own for the nightly cleanup (mailbox API §12.3). */

import { randomId } from '../lib/draft';
import type { TextKey } from '../texts';

export interface Statement {
  id: string;
  name: string;
  sql: string;
  enabled: boolean;
}

const LONGEST = 1000;

export function newStatement(): Statement {
  return { id: randomId(), name: '', sql: '', enabled: true };
}

export function readStatements(stored: unknown): Statement[] {
  if (!Array.isArray(stored)) return [];
  return stored
    .filter((one): one is Partial<Statement> => typeof one === 'object' && one !== null)
    .map((one, at) => ({ id: String(one.id ?? at), name: String(one.name ?? ''), sql: String(one.sql ?? ''), enabled: Boolean(one.enabled) }));
}

/** What the service would refuse it for, or null. */
export function statementFault(sql: string): TextKey | null {
  const one = sql.trim().replace(/;$/, '');
  if (one === '') return 'sql.fault.empty';
  if (one.length > LONGEST) return 'sql.fault.long';
  if (!/^DELETE\s/i.test(one)) return 'sql.fault.delete';
  if (one.includes(';')) return 'sql.fault.one';
  if (/--|\/\*/.test(one)) return 'sql.fault.comment';
  return null;
}
