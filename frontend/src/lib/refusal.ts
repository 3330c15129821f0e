/** Why a request did not end well, and how to say so. */

import { t } from '../texts';

/** The service answered, and the answer was no. `body` is text it wrote for people. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    readonly code: string | null,
  ) {
    super(`[${status}]: ${body}`);
    this.name = 'Refusal';
  }
}

/** No answer came: no network, no service, or too slow. */
export class Unreachable extends Error {
  constructor() {
    super('The service did not answer');
    this.name = 'Unreachable';
  }
}

/** Bodies longer than this are pages of some proxy, not sentences for people. */
const LONGEST_BODY = 300;

/** One or two sentences: what happened, then what to do. */
export function inWords(error: unknown): string {
  if (error instanceof Unreachable) return t('error.unreachable');
  if (error instanceof Refusal) {
    const said = error.body.trim();
    const readable = said !== '' && said.length <= LONGEST_BODY && !said.startsWith('<');
    if (error.status >= 500) {
      return readable ? t('error.server.said', { said, status: error.status }) : t('error.server', { status: error.status });
    }
    if (readable) return t('error.said', { said: sentence(said), status: error.status });
    if (error.status === 429) return t('error.often');
    return t('error.refused', { status: error.status });
  }
  return t('error.unknown');
}

export function isGone(error: unknown): boolean {
  return error instanceof Refusal && error.status === 401;
}

function sentence(text: string): string {
  return /[.!?。！？]$/.test(text) ? text : `${text}.`;
}
