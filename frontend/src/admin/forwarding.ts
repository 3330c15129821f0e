/** Forwarding rules as they are stored, and what would be refused or never apply. */

import type { TextKey } from '../texts';
import { addressFault, patternFault } from './fields';

export interface Rule {
  domains: string[];
  forward: string;
  sourcePatterns: string[];
  sourceMatchMode: 'any' | 'all';
}

export const NO_RULE: Rule = { domains: [], forward: '', sourcePatterns: [], sourceMatchMode: 'any' };

const LONGEST_PATTERN = 200;

const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);

/** What was stored, as far as it looks like rules. */
export function readRules(stored: unknown): Rule[] {
  if (!Array.isArray(stored)) return [];
  return stored
    .filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
    .map((one) => ({
      domains: texts(one['domains']),
      forward: typeof one['forward'] === 'string' ? one['forward'] : '',
      sourcePatterns: texts(one['sourcePatterns']),
      sourceMatchMode: one['sourceMatchMode'] === 'all' ? 'all' : 'any',
    }));
}

export function ruleFault(rule: Rule): TextKey | null {
  if (rule.forward.trim() === '') return 'forward.fault.none';
  if (addressFault(rule.forward.trim())) return 'fault.address';
  if (rule.sourcePatterns.some((pattern) => pattern.length > LONGEST_PATTERN)) return 'forward.fault.long';
  if (rule.sourcePatterns.some((pattern) => patternFault(pattern))) return 'fault.pattern';
  return null;
}
