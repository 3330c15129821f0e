import { expect, it } from 'vitest';
import { NO_WEBHOOK, PRESETS, readWebhook, webhookFault } from '../src/lib/webhooks';
import { crc32, distinct, zip } from '../src/lib/zip';

it('checks as everybody does (the check value of CRC-32)', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

it('gives equal names a number', () => {
  expect(distinct(['a.eml', 'A.eml', 'a.eml', 'b'])).toEqual(['a.eml', 'A (2).eml', 'a (3).eml', 'b']);
});

it('writes heads, contents and a directory that fit together', async () => {
  const bytes = new TextEncoder().encode('hello');
  const whole = new DataView(await zip([{ name: 'ä.eml', bytes, at: new Date(2026, 10, 21, 10, 0, 2) }]).arrayBuffer());
  expect(whole.getUint32(0, true)).toBe(0x04034b50);
  expect(whole.getUint16(6, true)).toBe(0x0800);
  expect(whole.getUint32(18, true)).toBe(5);
  const directory = whole.getUint32(whole.byteLength - 6, true);
  expect(whole.getUint32(directory, true)).toBe(0x02014b50);
  expect(whole.getUint32(whole.byteLength - 22, true)).toBe(0x06054b50);
});

it('every preset is settings that can be posted', () => {
  for (const [name, preset] of Object.entries(PRESETS)) {
    expect(webhookFault({ ...preset, enabled: true }), name).toBeNull();
    expect(() => JSON.parse(preset.body), name).not.toThrow();
  }
});

it('tells what a webhook lacks', () => {
  expect(webhookFault({ ...NO_WEBHOOK, url: 'ftp://x' })).toBe('url');
  expect(webhookFault({ ...NO_WEBHOOK, url: 'https://x', headers: '[]' })).toBe('headers');
  expect(webhookFault({ ...NO_WEBHOOK, url: 'https://x', headers: '{' })).toBe('headers');
  expect(readWebhook({ enabled: 1, url: 'https://x', headers: 5 })).toEqual({ ...NO_WEBHOOK, enabled: true, url: 'https://x' });
  expect(readWebhook(null)).toEqual(NO_WEBHOOK);
  const conditions = { subject: 'code' };
  expect(readWebhook({ ...NO_WEBHOOK, conditions })).toEqual({ ...NO_WEBHOOK, conditions });
});
