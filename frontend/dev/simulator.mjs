#!/usr/bin/env node
// A simulator of the service, for working on the page without one. Development only: it keeps
// everything in memory, checks no token, and is neither built into the page nor shipped.
//
//   npm run simulator                    serves the built page and the routes it uses on port 8787
//   npm run simulator -- --port 9000     elsewhere; `npm run dev` proxies to 8787
//
// POST /simulate/mail {"from_name", "subject", "text", "html", "code", …} lets a mail arrive,
// POST /simulate/cut breaks every open event stream, POST /simulate/private makes the site private.

import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const port = Number(process.argv[process.argv.indexOf('--port') + 1]) || 8787;
const pageDir = fileURLToPath(new URL('../../mailbox_service/page/', import.meta.url));
const domain = 'inbox.example';
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https: http:; " +
  "connect-src 'self'; frame-src 'self' blob: data:; font-src 'self'; manifest-src 'self'; worker-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

let sitePassword = null;
let nextId = 1;
const mails = new Map();
const sent = [];
const streams = new Set();
const byKey = new Map();

const utc = (ms = Date.now()) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
const sha = (text) => createHash('sha256').update(text).digest('hex');
const claims = (request) => {
  const token = (request.headers.authorization ?? '').split(' ')[1] ?? '';
  try {
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  } catch {
    return null;
  }
};
const jwtFor = (address) =>
  ['{"alg":"HS256","typ":"JWT"}', JSON.stringify({ address, address_id: 1 })].map((part) => Buffer.from(part).toString('base64url')).join('.') + '.simulated';

function light(mail) {
  const { text, html, headers, attachments, reply_to, cc, in_reply_to, references, remote_count, ...row } = mail;
  return row;
}

function arrive(address, mail) {
  const id = nextId++;
  const text = mail.text ?? '';
  const whole = {
    id,
    address,
    source: mail.from_address ?? 'sender@elsewhere.example',
    from_name: mail.from_name ?? '',
    from_address: mail.from_address ?? 'sender@elsewhere.example',
    to: address,
    subject: mail.subject ?? '',
    preview: mail.preview ?? text.slice(0, 200),
    created_at: utc(Date.now() - (mail.age ?? 0) * 1000),
    size: 4096,
    message_id: `<${id}@elsewhere.example>`,
    seen: mail.seen ?? false,
    flagged: mail.flagged ?? false,
    answered: mail.answered ?? false,
    attachment_count: mail.attachments?.length ?? 0,
    code: mail.code ?? null,
    codes: mail.code ? [mail.code] : [],
    link: mail.link ?? null,
    links: mail.link ? [mail.link] : [],
    text,
    html: mail.html ?? '',
    remote_count: mail.remote_count ?? 0,
    headers: [
      { name: 'From', value: mail.from_name ?? '' },
      { name: 'Subject', value: mail.subject ?? '' },
    ],
    attachments: (mail.attachments ?? []).map((part, index) => ({ index, content_id: '', disposition: 'attachment', ...part })),
    reply_to: mail.reply_to ?? '',
    cc: mail.cc ?? '',
    in_reply_to: '',
    references: '',
  };
  mails.set(id, whole);
  tell('mail', light(whole), id);
  return whole;
}

function tell(event, data, id = 0) {
  for (const stream of streams) stream.write(`id: ${id}-${Date.now()}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function submit(address, body) {
  const recipients = [body.to_mail, body.cc ?? [], body.bcc ?? []].flat();
  const id = nextId++;
  const stateOf = (to) => (to.startsWith('later') ? 'deferred' : to.startsWith('no') ? 'failed' : to.endsWith(domain) ? 'delivered' : 'held');
  const replies = { deferred: '421 4.7.0 try later, too many new senders', failed: '550 5.1.1 no such user here', delivered: '250 2.0.0 ok' };
  const row = {
    id,
    queue_id: randomUUID().replaceAll('-', '').slice(0, 26).toUpperCase(),
    subject: body.subject,
    from_address: address,
    to: [body.to_mail].flat(),
    created_at: utc(),
    size: JSON.stringify(body).length,
    state: 'queued',
    recipients: recipients.map((to) => ({ address: to, state: 'queued', attempts: 0, next_attempt_at: null, last_reply: null, updated_at: utc() })),
    text: body.content,
    html: '',
    headers: body.cc?.length ? [{ name: 'Cc', value: body.cc.join(', ') }] : [],
    attachments: [],
    attempts: [],
  };
  sent.unshift(row);
  setTimeout(() => {
    for (const recipient of row.recipients) {
      recipient.state = stateOf(recipient.address);
      recipient.last_reply = replies[recipient.state] ?? null;
      recipient.attempts = 1;
      recipient.updated_at = utc();
      if (recipient.state === 'deferred') recipient.next_attempt_at = utc(Date.now() + 240_000);
      if (recipient.state !== 'held') {
        row.attempts.push({
          recipient: recipient.address,
          at: utc(),
          remote: 'mx.elsewhere.example',
          reply: recipient.last_reply,
          conversation: `< 220 mx.elsewhere.example ESMTP ready\n> EHLO mail.${domain}\n< 250-SIZE 36700160\n> MAIL FROM:<${address}>\n< 250 2.1.0 ok\n> RCPT TO:<${recipient.address}>\n< ${recipient.last_reply}\n> QUIT`,
        });
      }
      const order = ['failed', 'deferred', 'held', 'queued', 'sending', 'delivered'];
      row.state = order.find((state) => row.recipients.some((one) => one.state === state));
      tell('sent', { id, queue_id: row.queue_id, state: row.state, recipient: recipient.address, recipient_state: recipient.state, last_reply: recipient.last_reply });
    }
  }, 400);
  return { status: 'ok', queue_id: row.queue_id, id, message_id: `<${row.queue_id}@${domain}>` };
}

const settings = (request) => ({
  title: 'mailbox',
  announcement: '',
  alwaysShowAnnouncement: false,
  prefix: '',
  addressRegex: '',
  minAddressLen: 1,
  maxAddressLen: 30,
  defaultDomains: [domain, 'drop.example', 'quiet.example'],
  domains: [domain, 'drop.example', 'quiet.example'],
  randomSubdomainDomains: [],
  domainLabels: [],
  needAuth: sitePassword !== null && request.headers['x-custom-auth'] !== sitePassword,
  enableUserCreateEmail: true,
  disableAnonymousUserCreateEmail: false,
  disableCustomAddressName: false,
  enableUserDeleteEmail: true,
  enableAutoReply: false,
  enableAddressPassword: true,
  enableSendMail: true,
  version: 'v0.1.0',
  smtpImapProxyConfig: { smtp: { host: '', port: 8025, starttls: false }, imap: { host: '', port: 11143, starttls: false } },
});

async function answer(request, response) {
  const url = new URL(request.url, 'http://simulator');
  const path = url.pathname;
  const method = request.method;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const body = text ? JSON.parse(text) : {};
  const json = (value) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  const refuse = (status, words, code = 'refused') => response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8', 'X-Error-Code': code }).end(words);

  if (path === '/simulate/mail') return json(light(arrive(body.address, body)));
  if (path === '/simulate/cut') {
    for (const stream of streams) stream.destroy();
    return json({});
  }
  if (path === '/simulate/private') {
    sitePassword = body.password ?? null;
    return json({});
  }
  if (path === '/open_api/settings') return json(settings(request));
  if (path === '/open_api/site_login') return body.password === sha(sitePassword ?? '') ? json({ success: true }) : refuse(401, 'The site password is wrong');
  if (path === '/api/new_address') {
    const name = body.name?.toLowerCase() || `amber.wren.${Math.floor(Math.random() * 90) + 10}`;
    if (name === 'taken') return refuse(400, 'Failed to create address: Address already exists');
    const address = `${name}@${body.domain || domain}`;
    return json({ jwt: jwtFor(address), address, password: 'q7m2x9kd', address_id: 1 });
  }
  if (path === '/api/address_login') return body.password === sha('q7m2x9kd') ? json({ jwt: jwtFor(body.email), address: body.email }) : refuse(401, 'Invalid email or password');

  if (path.startsWith('/api/')) {
    const own = claims(request)?.address;
    if (!own) return refuse(401, 'Invalid address credential');
    const list = () => [...mails.values()].filter((mail) => mail.address === own).sort((a, b) => b.id - a.id);
    const one = /^\/api\/(?:inbox|mails)\/(\d+)(?:\/(\w+)(?:\/(\d+))?)?$/.exec(path);
    const mail = one ? mails.get(Number(one[1])) : null;
    if (path === '/api/settings') return json({ address: own, send_balance: 1000 });
    if (path === '/api/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      response.write(': open\n\n');
      streams.add(response);
      const ping = setInterval(() => response.write(': ping\n\n'), 15_000);
      response.on('close', () => {
        clearInterval(ping);
        streams.delete(response);
      });
      return undefined;
    }
    if (path === '/api/inbox') {
      const query = url.searchParams;
      const words = (query.get('q') ?? '').toLowerCase();
      const found = list().filter(
        (row) =>
          (!words || `${row.from_name} ${row.subject} ${row.text}`.toLowerCase().includes(words)) &&
          (!query.get('unread') || !row.seen) &&
          (!query.get('flagged') || row.flagged) &&
          (!query.get('codes') || row.code || row.link),
      );
      const before = Number(query.get('before_id')) || Infinity;
      const limit = Number(query.get('limit')) || 20;
      const page = found.filter((row) => row.id < before);
      const results = page.slice(0, limit).map(light);
      return json({ results, count: found.length, unread: list().filter((row) => !row.seen).length, next_before_id: page.length > limit ? results.at(-1).id : null });
    }
    if (one && path.startsWith('/api/inbox/')) {
      if (!mail) return json(null);
      const remote = url.searchParams.get('remote');
      return json({ ...mail, html: remote ? mail.html.replaceAll('data-held=', 'src=') : mail.html });
    }
    if (one && one[2] === 'raw') return response.writeHead(200, { 'Content-Type': 'message/rfc822' }).end(`From: ${mail.from_address}\r\nSubject: ${mail.subject}\r\n\r\n${mail.text}\r\n`);
    if (one && one[2] === 'attachments') {
      const part = mail.attachments[Number(one[3])];
      return response.writeHead(200, { 'Content-Type': part.mime_type }).end(Buffer.from(part.content ?? '', 'base64'));
    }
    if (one && method === 'PATCH') {
      Object.assign(mail, body);
      tell('flags', { ids: [mail.id], ...body });
      return json({ success: true });
    }
    if (one && method === 'DELETE') {
      mails.delete(Number(one[1]));
      tell('deleted', { ids: [Number(one[1])] });
      return json({ success: true });
    }
    if (path === '/api/sent') return json({ results: sent.filter((row) => row.from_address === own), count: sent.length, next_before_id: null });
    if (path.startsWith('/api/sent/')) return json(sent.find((row) => row.id === Number(path.split('/')[3])) ?? null);
    if (path === '/api/send_mail') {
      if (body.subject === 'refuse') return refuse(400, 'Failed to send mail: the recipient is on the block list');
      const key = request.headers['idempotency-key'];
      if (!byKey.has(key)) byKey.set(key, submit(own, body));
      return json(byKey.get(key));
    }
    if (path === '/api/address_change_password' || path === '/api/delete_address') return json({ success: true });
    return refuse(404, 'Not Found');
  }
  return page(path, response);
}

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' };

async function page(path, response) {
  const file = normalize(path === '/' || !path.includes('.') ? '/index.html' : path);
  try {
    const bytes = await readFile(join(pageDir, file));
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': PAGE_POLICY, 'X-Content-Type-Options': 'nosniff' });
    response.end(bytes);
  } catch {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not Found');
  }
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' });
    response.end(`${error.name} ${error.message}`);
  });
}).listen(port, '127.0.0.1', () => console.log(`simulator on http://127.0.0.1:${port}`));
