/** Asking the sending API as an administrator, and what it says no to, field by field. */

import { Refusal } from '../lib/refusal';
import { admin } from './admin.svelte';

export type Row = Readonly<Record<string, unknown>>;

/** The service refused, and said which field is meant. */
export class FieldRefusal extends Refusal {
  constructor(
    status: number,
    words: string,
    code: string | null,
    readonly field: string,
  ) {
    super(status, words, code);
  }
}

interface Said {
  error?: unknown;
  field?: unknown;
  field_validation_errors?: { fieldname?: unknown; message?: unknown };
}

/** A refusal that came as JSON, in its own words. */
export function worded(error: unknown): unknown {
  if (!(error instanceof Refusal) || !error.body.startsWith('{')) return error;
  let said: Said;
  try {
    said = JSON.parse(error.body) as Said;
  } catch {
    return error;
  }
  const about = said.field_validation_errors;
  const words = String(about?.message ?? said.error ?? error.body);
  const field = about?.fieldname ?? said.field;
  return typeof field === 'string' && field ? new FieldRefusal(error.status, words, error.code, field) : new Refusal(error.status, words, error.code);
}

/** `path` as the sending API has it, `suppression/add`. Throws Refusal, FieldRefusal, Unreachable. */
export async function ask<T>(path: string, fields: Readonly<Record<string, unknown>> = {}): Promise<T> {
  return told(admin.api.json<T>('POST', `/admin/sending/${path}`, { ...fields }));
}

/** SMTP servers of programs have routes of their own. */
export const servers = {
  list: () => told(admin.api.json<unknown>('GET', '/smtp-connections')),
  save: (name: string, fields: Readonly<Record<string, unknown>>) => told(admin.api.json('PUT', `/smtp-connections/${encodeURIComponent(name)}`, { ...fields })),
  remove: (name: string) => told(admin.api.json('DELETE', `/smtp-connections/${encodeURIComponent(name)}`)),
  try: (name: string) => told(admin.api.json<{ success: boolean; error?: string; host?: string; duration_ms?: number }>('POST', '/test-connection', { connection: name })),
};

async function told<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw worded(error);
  }
}
