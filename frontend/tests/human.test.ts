import { describe, expect, test } from 'vitest';
import { isChallenge, solve, tokenOf, type Challenge } from '../src/human/work';
import { pbkdf2Hex } from '../src/lib/pbkdf2';
import { sha256Hex } from '../src/lib/sha256';

const CHALLENGE: Challenge = {
  parameters: { algorithm: 'PBKDF2/SHA-256', cost: 20, keyLength: 32, keyPrefix: '00', nonce: 'eccfd1ae1a142dca1b3cdcb2a883d850', salt: 'c05f47840edf17307c6deaeec5691f7d' },
  signature: 'ccade12c',
};

const hex = (buffer: ArrayBuffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

async function another(password: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>, rounds: number): Promise<string> {
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
  return hex(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, key, 256));
}

describe('proof of work', () => {
  test.each([1, 2, 17, 1000])('our own PBKDF2 agrees with another one after %i rounds', async (rounds) => {
    for (const length of [1, 16, 20, 60, 64]) {
      const password = crypto.getRandomValues(new Uint8Array(length));
      const salt = crypto.getRandomValues(new Uint8Array(length));
      expect(pbkdf2Hex(password, salt, rounds)).toBe(await another(password, salt, rounds));
    }
  });

  test.each(['', 'abc', 'ä'.repeat(40), 'x'.repeat(64), 'y'.repeat(1000)])('SHA-256 is SHA-256', async (text) => {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
    expect(sha256Hex(text)).toBe(hex(digest));
  });

  test('the browser and our own hand find the same counter', async () => {
    const found = await solve(CHALLENGE, 0, 1, false);
    expect(found.derivedKey.startsWith('00')).toBe(true);
    expect(await solve(CHALLENGE, 0, 1, true)).toEqual(found);
  });

  test('workers that share the counters try all of them', async () => {
    const whole = await solve(CHALLENGE, 0, 1);
    const shares = await Promise.all([solve(CHALLENGE, 0, 2), solve(CHALLENGE, 1, 2)]);
    expect(Math.min(...shares.map((share) => share.counter))).toBe(whole.counter);
  });

  test('a token holds challenge and solution', () => {
    const solution = { counter: 3, derivedKey: '00ff' };
    expect(JSON.parse(atob(tokenOf(CHALLENGE, solution)))).toEqual({ challenge: CHALLENGE, solution });
  });

  test.each([null, {}, { parameters: {} }, { parameters: { ...CHALLENGE.parameters, algorithm: 'ARGON2ID' } }, { parameters: { ...CHALLENGE.parameters, cost: 1e12 } }, { parameters: { ...CHALLENGE.parameters, keyLength: 64 } }, { parameters: { ...CHALLENGE.parameters, salt: 'zz' } }])(
    'what is no challenge of ours is not worked at: %j',
    (value) => {
      expect(isChallenge(value)).toBe(false);
      expect(isChallenge(CHALLENGE)).toBe(true);
    },
  );
});
