/** Forwarding that the owner of a mailbox sets up: what the service tells of it, and what is wrong with what was typed. */

import type { TextKey } from '../texts';

export interface Forwarding {
  state: 'off' | 'asked' | 'on';
  target: string | null;
  since: string | null;
  /** The address that was mailed a code, until it is shown. */
  asked: string | null;
  code_ends_at: string | null;
  tries_left: number;
}

const CODE_DIGITS = 8;

/** What is wrong with a target, as far as it shows before the service is asked. */
export function targetFault(written: string, mailbox: string, now: string | null): TextKey | null {
  const target = written.trim().toLowerCase();
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(target)) return 'onward.fault.address';
  const [name = '', domain = ''] = target.split(/@(?=[^@]*$)/);
  if (mailbox === target || mailbox === `${name.split('+')[0]}@${domain}`) return 'onward.fault.self';
  return target === now ? 'onward.fault.same' : null;
}

/** The digits of a code, however they were copied. */
export function codeOf(written: string): string {
  return written.replace(/[\s\u00a0-]/g, '');
}

export function codeFault(written: string): TextKey | null {
  const code = codeOf(written);
  return code.length === CODE_DIGITS && /^\d+$/.test(code) ? null : 'onward.fault.digits';
}
