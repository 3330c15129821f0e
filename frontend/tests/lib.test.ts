import { linesOf, listOf, valueAt, withValue } from '../src/admin/fields';
import { describe, expect, test } from 'vitest';
import { addressInToken, currentOf, isAddressBook, NO_ADDRESSES, switchedTo, withAddress, withoutAddress } from '../src/lib/addresses';
import { search } from '../src/lib/api';
import { readConversation } from '../src/lib/conversation';
import { safeFilename } from '../src/lib/files';
import { KeyReader } from '../src/lib/keys';
import { inWords, Refusal, Unreachable } from '../src/lib/refusal';
import { hrefOf, readInvitation, readRoute, type Route } from '../src/lib/route';
import { belongs, merged, neighbour, queryFor } from '../src/lib/rows';
import { sha256Hex } from '../src/lib/sha256';
import { kindOfFile, sizeInWords } from '../src/lib/size';
import { curlSend, curlWait, pythonSend } from '../src/lib/snippets';
import { t } from '../src/texts';
import { aRow } from './mail';

async function reference(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('SHA-256 is SHA-256 for all lengths round a block', async () => {
  for (let length = 0; length < 140; length++) {
    const text = 'aé'.repeat(length).slice(0, length);
    expect(sha256Hex(text)).toBe(await reference(text));
  }
});

describe('the address book', () => {
  const one = { address: 'one@x.example', jwt: 'a.b.c' };
  const two = { address: 'two@x.example', jwt: 'd.e.f' };
  const both = withAddress(withAddress(NO_ADDRESSES, one), two);
  test('takes the newest as current', () => expect(currentOf(both)).toEqual(two));
  test('switches only to what it holds', () => {
    expect(currentOf(switchedTo(both, one.address))).toEqual(one);
    expect(switchedTo(both, 'no@x.example')).toBe(both);
  });
  test('renews a key in its place', () => {
    const renewed = withAddress(both, { ...one, jwt: 'new' });
    expect(renewed.list.map((entry) => entry.jwt)).toEqual(['d.e.f', 'new']);
  });
  test('forgets, and goes to the neighbour', () => {
    expect(currentOf(withoutAddress(both, two.address))).toEqual(one);
    expect(currentOf(withoutAddress(withoutAddress(both, two.address), one.address))).toBeNull();
  });
  test('does not believe what is no book', () => {
    for (const value of [null, 1, {}, { current: '', list: [1] }, { current: '', list: [{ address: 'x' }] }]) expect(isAddressBook(value)).toBe(false);
    expect(isAddressBook(both)).toBe(true);
  });
});

test('a token names its address', () => {
  const payload = btoa(String.fromCharCode(...new TextEncoder().encode('{"address":"grün@x.example"}')));
  expect(addressInToken(`h.${payload}.s`)).toBe('grün@x.example');
  for (const token of ['', 'x', 'a.b.c', 'a.e30.c']) expect(addressInToken(token)).toBeNull();
});

test('every place has one address and comes back from it', () => {
  const routes: Route[] = [{ view: 'inbox' }, { view: 'starred' }, { view: 'mail', id: 12 }, { view: 'sent', id: null }, { view: 'sent', id: 3 }, { view: 'drafts' }, { view: 'compose', draft: 'ab' }, { view: 'connect' }];
  for (const route of routes) expect(readRoute(hrefOf(route))).toEqual(route);
  for (const hash of ['', '#', '#/nowhere', '#/mail/x', '#/mail/99999999999999999999']) expect(readRoute(hash)).toEqual({ view: 'inbox' });
});

test('links from outside bring a token or a mail', () => {
  expect(readInvitation('?jwt=a.b.c&mail_id=5')).toEqual({ jwt: 'a.b.c', mail: 5 });
  expect(readInvitation('?mail_id=x')).toEqual({ jwt: null, mail: null });
});

describe('rows', () => {
  const rows = [aRow({ id: 3 }), aRow({ id: 2 }), aRow({ id: 1 })];
  test('merge newest first, the fresh version winning', () => {
    const both = merged([aRow({ id: 2, seen: true }), aRow({ id: 9 })], rows);
    expect(both.map((row) => row.id)).toEqual([9, 3, 2, 1]);
    expect(both[2]!.seen).toBe(true);
  });
  test('have neighbours', () => {
    expect(neighbour(rows, 2, 1)?.id).toBe(1);
    expect(neighbour(rows, 2, -1)?.id).toBe(3);
    expect(neighbour(rows, 1, 1)).toBeNull();
    expect(neighbour(rows, null, 1)?.id).toBe(3);
    expect(neighbour([], 1, 1)).toBeNull();
  });
  test('belong where the filter says', () => {
    expect(belongs(aRow({ seen: true }), 'unread')).toBe(false);
    expect(belongs(aRow({ code: '1234' }), 'codes')).toBe(true);
    expect(belongs(aRow(), 'codes')).toBe(false);
    expect(belongs(aRow(), 'starred')).toBe(false);
  });
  test('are asked for in the words of the service', () => {
    expect(search(queryFor('unread', 'a b'))).toBe('?q=a+b&unread=1');
    expect(search(queryFor('starred', ''))).toBe('?flagged=1');
    expect(search({})).toBe('');
  });
});

test('keys make commands, and g waits for its partner', () => {
  const keys = new KeyReader();
  expect(keys.read('j', 0)).toBe('older');
  expect(keys.read('g', 100)).toBeNull();
  expect(keys.read('s', 200)).toBe('go-sent');
  expect(keys.read('s', 300)).toBe('star');
  expect(keys.read('g', 400)).toBeNull();
  expect(keys.read('s', 5000)).toBe('star');
  expect(keys.read('q', 5001)).toBeNull();
});

test('a conversation has sides, and what was noticed', () => {
  expect(readConversation('* mx.x.example\n< 250-one\n250 two\n> QUIT\n\n')).toEqual([
    { from: 'note', text: 'mx.x.example' },
    { from: 'them', text: '250-one' },
    { from: 'them', text: '250 two' },
    { from: 'us', text: 'QUIT' },
  ]);
  expect(readConversation('')).toEqual([]);
});

test.each([
  ['../../etc/passwd', 'passwd'],
  ['C:\\x\\a.txt', 'a.txt'],
  ['a\u202etxt.exe', 'a_txt.exe'],
  ['..', 'attachment'],
  ['', 'attachment'],
  ['a"b\r\n.txt', 'a_b__.txt'],
  ['Übersicht 2026.pdf', 'Übersicht 2026.pdf'],
])('%j is saved as %j (hazard 35)', (name, saved) => expect(safeFilename(name)).toBe(saved));

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [999_499, '999 kB'],
  [999_999, '1 MB'],
  [8_100_000, '8.1 MB'],
])('%d bytes are %s', (bytes, words) => expect(sizeInWords(bytes)).toBe(words));

test('a file is called by its ending', () => {
  expect(kindOfFile('a.pdf', 'application/octet-stream')).toBe('PDF');
  expect(kindOfFile('a', 'image/png')).toBe('PNG');
});

test('refusals are said in sentences', () => {
  expect(inWords(new Refusal(400, 'Name is taken', null))).toBe('Name is taken. [400]');
  expect(inWords(new Refusal(503, 'disk full', null))).toContain('[503]: disk full');
  expect(inWords(new Refusal(502, '<html>bad gateway</html>', null))).not.toContain('<html>');
  expect(inWords(new Unreachable())).toContain('does not answer');
  expect(inWords(new TypeError('x'))).not.toContain('TypeError');
});

test('snippets quote what they hold', () => {
  const access = { origin: "http://x'y", address: "o'neil@x.example", token: 'a.b.c', smtpHost: 'x.example', smtpPort: 8025, starttls: true, imapHost: 'x.example', imapPort: 11143, imapStarttls: true };
  expect(curlWait(access)).toContain(`'http://x'\\''y/api/mails/wait?timeout=60'`);
  expect(curlSend(access)).toContain(`o'\\''neil`);
  expect(pythonSend(access)).toContain('server.starttls()');
  expect(pythonSend({ ...access, starttls: false })).not.toContain('starttls');
});

test('texts fill in values and choose plural forms', () => {
  expect(t('arrived.held', { n: 1 })).toBe('1 new mail');
  expect(t('arrived.held', { n: 2 })).toBe('2 new mails');
  expect(t('copy.what', { what: '{n}' })).toBe('Copy {n}');
});

test('settings are read and changed by their path, without touching what was given', () => {
  const values = { a: { b: 1 } };
  expect(valueAt(values, 'a.b')).toBe(1);
  expect(valueAt(values, 'a.c.d')).toBeUndefined();
  expect(withValue(values, 'a.c.d', 2)).toEqual({ a: { b: 1, c: { d: 2 } } });
  expect(values).toEqual({ a: { b: 1 } });
  expect(listOf(' one \n\ntwo')).toEqual(['one', 'two']);
  expect(linesOf(['one', 'two'])).toBe('one\ntwo');
});
