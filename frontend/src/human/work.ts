/** The proof of work of ALTCHA (version 2): counters are tried until the derived key begins as it must. */

import { pbkdf2Hex } from '../lib/pbkdf2';

/** What the service signed. */
export interface Challenge {
  parameters: { algorithm: string; cost: number; keyLength: number; keyPrefix: string; nonce: string; salt: string };
  signature: string;
}

export interface Solution {
  counter: number;
  derivedKey: string;
}

/** The only kind that the service asks for. */
export const ALGORITHM = 'PBKDF2/SHA-256';
const KEY_OCTETS = 32;
/** Beyond these a challenge is none of ours, and would keep a browser busy for nothing. */
const MOST_ROUNDS = 10_000_000;
const MOST_TRIES = 2 ** 32;

export function isChallenge(value: unknown): value is Challenge {
  const told = (value as Challenge | null)?.parameters;
  return (
    told?.algorithm === ALGORITHM &&
    Number.isInteger(told.cost) &&
    told.cost > 0 &&
    told.cost <= MOST_ROUNDS &&
    told.keyLength === KEY_OCTETS &&
    [told.keyPrefix, told.nonce, told.salt].every((text) => /^(?:[0-9a-f]{1,64})$/.test(text))
  );
}

type Derive = (password: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>, rounds: number) => Promise<string>;

const byBrowser: Derive = async (password, salt, rounds) => {
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, key, KEY_OCTETS * 8);
  return hexOf(new Uint8Array(bits));
};
const byHand: Derive = (password, salt, rounds) => Promise.resolve(pbkdf2Hex(password, salt, rounds));

/** Tries every `step`-th counter from `start`. Several workers share the work so. */
export async function solve(challenge: Challenge, start: number, step: number, ownHand = !globalThis.crypto?.subtle): Promise<Solution> {
  const { nonce, salt, cost, keyPrefix } = challenge.parameters;
  const derive = ownHand ? byHand : byBrowser;
  const salted = octets(salt);
  const begins = octets(nonce);
  const password = new Uint8Array(begins.length + 4);
  password.set(begins);
  const counterPart = new DataView(password.buffer, begins.length);
  for (let counter = start; counter < MOST_TRIES; counter += step) {
    counterPart.setUint32(0, counter);
    const derivedKey = await derive(password, salted, cost);
    if (derivedKey.startsWith(keyPrefix)) return { counter, derivedKey };
  }
  throw new RangeError('no counter fits');
}

/** What goes into `cf_token`. */
export function tokenOf(challenge: Challenge, solution: Solution): string {
  return btoa(JSON.stringify({ challenge, solution }));
}

function octets(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
