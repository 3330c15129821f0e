import { afterEach, describe, expect, it, vi } from 'vitest';
import { nameOf, takeBegun } from '../src/lib/begun';
import { fingerprint, headersFor } from '../src/lib/requests';

afterEach(() => {
  globalThis.begun = undefined;
  vi.restoreAllMocks();
});

describe('requests that the document began', () => {
  const headers = headersFor({ token: 'key' }, 'en', fingerprint());
  const name = nameOf('GET', '/api/settings', headers, null);

  it('gives an answer to the same request, once', () => {
    const answer = Promise.resolve(new Response('{}'));
    globalThis.begun = new Map([[name, answer]]);
    expect(takeBegun(nameOf('GET', '/api/settings', { ...headers }, null))).toBe(answer);
    expect(takeBegun(name)).toBeNull();
  });

  it.each([
    ['another key', nameOf('GET', '/api/settings', headersFor({ token: 'other' }, 'en', ''), null)],
    ['another path', nameOf('GET', '/api/inbox', headers, null)],
    ['another method', nameOf('POST', '/api/settings', headers, null)],
    ['a body', nameOf('GET', '/api/settings', headers, '{}')],
  ])('gives none to a request with %s', (_, other) => {
    globalThis.begun = new Map([[name, Promise.resolve(new Response('{}'))]]);
    expect(takeBegun(other)).toBeNull();
  });

  it('gives what has been made, however long ago', () => {
    const made = nameOf('POST', '/api/new_address', headers, '{}');
    globalThis.begun = new Map([[made, Promise.resolve(new Response('{}'))]]);
    vi.spyOn(performance, 'now').mockReturnValue(60_000);
    expect(takeBegun(made)).not.toBeNull();
  });

  it('gives no answer that is old', () => {
    globalThis.begun = new Map([[name, Promise.resolve(new Response('{}'))]]);
    vi.spyOn(performance, 'now').mockReturnValue(60_000);
    expect(takeBegun(name)).toBeNull();
  });
});
