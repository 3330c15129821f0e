import { describe, expect, test } from 'vitest';
import { answerTo, forwardHead, forwardSubject, quoteLines, referencesFor, replySubject } from '../src/lib/quoting';
import { aMail } from './mail';

test.each([
  ['Hello', 'Re: Hello'],
  ['Re: Hello', 'Re: Hello'],
  ['RE[2]: Hello', 'RE[2]: Hello'],
  ['AW: Hallo', 'AW: Hallo'],
  ['回复：你好', '回复：你好'],
  ['Report', 'Re: Report'],
  ['', 'Re: '],
])('an answer to “%s” is “%s”', (subject, answer) => expect(replySubject(subject)).toBe(answer));

test('a forward is marked once', () => {
  expect(forwardSubject('Hello')).toBe('Fwd: Hello');
  expect(forwardSubject('FW: Hello')).toBe('FW: Hello');
});

test('quotes grow by one sign', () => {
  expect(quoteLines('Hello\r\n\r\n> older\n\n')).toBe('> Hello\n>\n>> older');
});

describe('referencesFor', () => {
  test('adds the parent', () => {
    expect(referencesFor({ references: '<a@x> <b@x>', in_reply_to: '<b@x>', message_id: '<c@x>' })).toBe('<a@x> <b@x> <c@x>');
  });
  test('begins with the parent’s parent when there are none', () => {
    expect(referencesFor({ references: '', in_reply_to: '<b@x>', message_id: '<c@x>' })).toBe('<b@x> <c@x>');
  });
  test('keeps the first and the newest of a long thread', () => {
    const many = Array.from({ length: 80 }, (_, i) => `<${i}@x>`).join(' ');
    const kept = referencesFor({ references: many, in_reply_to: '', message_id: '<new@x>' }).split(' ');
    expect(kept).toHaveLength(50);
    expect(kept[0]).toBe('<0@x>');
    expect(kept.at(-1)).toBe('<new@x>');
  });
  test('drops what is no id', () => {
    expect(referencesFor({ references: 'x\r\nBcc: y', in_reply_to: '', message_id: null })).toBe('');
  });
});

describe('answerTo', () => {
  const mail = aMail({ to: 'me@inbox.example, Zoe <zoe@x.example>', cc: 'legal@x.example, ZOE@x.example, me@inbox.example' });
  test('goes to the author', () => {
    expect(answerTo(mail, 'me@inbox.example', false)).toEqual({ to: [{ name: 'Lena Brandt', address: 'lena@northlane.example' }], cc: [] });
  });
  test('goes where the author asks', () => {
    expect(answerTo({ ...mail, reply_to: 'Desk <desk@x.example>' }, 'me@inbox.example', false).to).toEqual([{ name: 'Desk', address: 'desk@x.example' }]);
  });
  test('to all names everybody once, and not ourselves', () => {
    const { to, cc } = answerTo(mail, 'me@inbox.example', true);
    expect(to.map((one) => one.address)).toEqual(['lena@northlane.example', 'zoe@x.example']);
    expect(cc.map((one) => one.address)).toEqual(['legal@x.example']);
  });
  test('an answer to nobody names nobody', () => {
    expect(answerTo(aMail({ from_address: '' }), 'me@inbox.example', true).to.map((one) => one.address)).toEqual([]);
  });
});

test('the head of a forward says whence it came', () => {
  const words = { begin: 'Forwarded message', from: 'From', date: 'Date', subject: 'Subject', to: 'To' };
  expect(forwardHead(aMail(), 'today', words)).toBe(
    '---------- Forwarded message ----------\nFrom: Lena Brandt <lena@northlane.example>\nDate: today\nSubject: Contract\nTo: me@inbox.example',
  );
});
