import { describe, expect, test } from 'vitest';
import { hueOf, initials, splitAddress } from '../src/lib/faces';
import { faultOf, readPeople, readPerson, splitList } from '../src/lib/people';

describe('splitList', () => {
  test.each([
    ['a@x.example, b@x.example', ['a@x.example', 'b@x.example']],
    ['"Brandt, Lena" <l@x.example>; b@x.example', ['"Brandt, Lena" <l@x.example>', 'b@x.example']],
    ['"a \\" , b" <l@x.example>,c@x.example', ['"a \\" , b" <l@x.example>', 'c@x.example']],
    ['a@x.example (one, two), b@x.example', ['a@x.example (one, two)', 'b@x.example']],
    ['a@x.example\nb@x.example\n', ['a@x.example', 'b@x.example']],
    [' , ; ', []],
    ['"never closed, a@x.example', ['"never closed, a@x.example']],
  ])('%s', (text, items) => expect(splitList(text)).toEqual(items));
});

describe('readPerson', () => {
  test.each([
    ['Lena Brandt <lena@x.example>', 'Lena Brandt', 'lena@x.example'],
    ['"Brandt, \\"L\\"" <lena@x.example>', 'Brandt, "L"', 'lena@x.example'],
    ['lena@x.example (Lena)', 'Lena', 'lena@x.example'],
    ['<lena@x.example>', '', 'lena@x.example'],
    ['  lena@x.example ', '', 'lena@x.example'],
    ['张伟 <zhang@x.example>', '张伟', 'zhang@x.example'],
  ])('%s', (text, name, address) => expect(readPerson(text)).toEqual({ name, address }));

  test('who is named twice is one person', () =>
    expect(readPeople('Bob <bob@far.example>, eve@far.example; BOB@far.example, zz, zz').map((one) => one.address)).toEqual(['bob@far.example', 'eve@far.example', 'zz']));
  test('an empty address names nobody', () => expect(readPeople('Lena <>, b@x.example')).toHaveLength(1));
});

describe('faultOf', () => {
  test.each(['a@x.example', 'a+b@x.example', 'a@bücher.example', 'a@localhost', 'a@mailbox.localhost', 'grün@x.example'])('%s is good', (address) =>
    expect(faultOf(address)).toBeNull(),
  );
  test.each([
    ['a', 'no-at'],
    ['@x.example', 'no-name'],
    ['a@', 'no-domain'],
    ['p.okafor@northlane', 'no-ending'],
    ['a b@x.example', 'strange'],
    ['a@x..example', 'strange'],
    ['.a@x.example', 'strange'],
    ['a@-x.example', 'strange'],
    ['a\r\nBcc: b@x.example', 'strange'],
    [`${'a'.repeat(65)}@x.example`, 'too-long'],
    [`a@${'x'.repeat(250)}.example`, 'too-long'],
  ])('%s: %s', (address, fault) => expect(faultOf(address)).toBe(fault));
});

test.each([
  ['Lena Brandt', 'l@x.example', 'LB'],
  ['张伟', 'z@x.example', '张'],
  ['', 'no-reply@x.example', 'NR'],
  ['', 'ann@x.example', 'A'],
  ['"?!"', 'x@y.example', '?'],
  ['The Slow Web Weekly', 'x@y.example', 'TW'],
  ['😀 Ann', 'x@y.example', 'A'],
])('initials of %s <%s>', (name, address, letters) => expect(initials(name, address)).toBe(letters));

test('a sender has one hue of eight, whatever the case', () => {
  expect(hueOf('Ann@x.example')).toBe(hueOf('ann@X.example'));
  for (let i = 0; i < 100; i++) expect(hueOf(`${i}@x.example`)).toSatisfy((hue: number) => hue >= 1 && hue <= 8);
});

test('an address has two sides', () => {
  expect(splitAddress('"a@b"@x.example')).toEqual({ local: '"a@b"', domain: 'x.example' });
});
