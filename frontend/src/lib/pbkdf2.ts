/** PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2) for 32 octets, where the browser offers none of its own. */

import { compress, digest, hexOfWords, START } from './sha256';

const BLOCK = 64;

/** The key of HMAC under one of its two masks (RFC 2104), as the state after its block. */
function masked(key: Uint8Array, mask: number): Int32Array {
  const block = new DataView(new ArrayBuffer(BLOCK));
  for (let i = 0; i < BLOCK; i++) block.setUint8(i, (key[i] ?? 0) ^ mask);
  const w = new Int32Array(BLOCK);
  for (let i = 0; i < 16; i++) w[i] = block.getInt32(i * 4);
  const state = Int32Array.from(START);
  compress(state, w);
  return state;
}

/** As lower-case hex. The password is a nonce and a counter: shorter than a block. */
export function pbkdf2Hex(password: Uint8Array, salt: Uint8Array, rounds: number): string {
  if (password.length > BLOCK) throw new RangeError('a longer password would have to be hashed first');
  const inner = masked(password, 0x36);
  const outer = masked(password, 0x5c);
  const first = new Uint8Array(salt.length + 4);
  first.set(salt);
  first[salt.length + 3] = 1;
  // 32 octets behind one block: their padding is always the same.
  const w = new Int32Array(BLOCK);
  const after = (start: Int32Array, words: Int32Array): Int32Array => {
    w.set(words);
    w.fill(0, 8, 16);
    w[8] = 0x80000000 | 0;
    w[15] = (BLOCK + 32) * 8;
    const hash = Int32Array.from(start);
    compress(hash, w);
    return hash;
  };
  let u = after(outer, digest(first, inner, BLOCK));
  const key = Int32Array.from(u);
  for (let round = 1; round < rounds; round++) {
    u = after(outer, after(inner, u));
    for (let i = 0; i < 8; i++) key[i]! ^= u[i]!;
  }
  return hexOfWords(key);
}
