import { describe, expect, test } from 'vitest';
import { EventParser, pause } from '../src/lib/sse';

const stream = 'id: 7-1\nevent: mail\ndata: {"id":7}\n\n: ping\n\nid: 8-2\nevent: sent\ndata: one\ndata: two\n\n';

describe('EventParser', () => {
  test('reads whole events', () => {
    const parser = new EventParser();
    expect(parser.feed(stream)).toEqual([
      { type: 'mail', data: '{"id":7}', id: '7-1' },
      { type: 'sent', data: 'one\ntwo', id: '8-2' },
    ]);
    expect(parser.lastId).toBe('8-2');
  });

  test.each(['\n', '\r\n', '\r'])('reads the same however it is cut, with line ends %j', (end) => {
    const text = stream.replaceAll('\n', end);
    const whole = new EventParser().feed(stream);
    for (let cut = 1; cut < text.length; cut++) {
      const parser = new EventParser();
      expect([...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))]).toEqual(whole);
    }
    const byOne = new EventParser();
    expect([...text].flatMap((char) => byOne.feed(char))).toEqual(whole);
  });

  test('an event that was cut off does not move the position', () => {
    const parser = new EventParser();
    parser.feed('id: 1-1\ndata: a\n\nid: 2-2\ndata: b\n');
    expect(parser.lastId).toBe('1-1');
  });

  test('a position may come alone', () => {
    const parser = new EventParser();
    expect(parser.feed('id: 5-5\nretry: 3000\n: open\n\n')).toEqual([]);
    expect(parser.lastId).toBe('5-5');
  });

  test('an endless event ends the stream', () => {
    const parser = new EventParser();
    expect(() => {
      for (let i = 0; i < 20; i++) parser.feed('x'.repeat(100_000));
    }).toThrow(RangeError);
  });
});

test('pauses grow to half a minute and never beyond', () => {
  expect(pause(0, 0.5)).toBe(1000);
  expect(pause(1, 0.5)).toBe(2000);
  for (let attempt = 0; attempt < 100; attempt++) expect(pause(attempt, 1)).toBeLessThanOrEqual(36_000);
});
