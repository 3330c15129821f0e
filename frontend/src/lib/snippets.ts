/** Lines that a person can paste into a shell or a program; all values are those of this mailbox. */

export interface Access {
  /** Where the page came from, such as `http://127.0.0.1:8787`. */
  origin: string;
  address: string;
  token: string;
  smtpHost: string;
  smtpPort: number;
  starttls: boolean;
  imapHost: string;
  imapPort: number;
  imapStarttls: boolean;
}

/** A single-quoted word of a POSIX shell. */
function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A Python string literal: JSON's escapes are a subset of Python's. */
function python(text: string): string {
  return JSON.stringify(text);
}

export function curlWait(access: Access): string {
  return `TOKEN=${shell(access.token)}
curl -s -H "Authorization: Bearer $TOKEN" \\
  ${shell(`${access.origin}/api/mails/wait?timeout=60`)}`;
}

export function curlSend(access: Access): string {
  const body = JSON.stringify({ to_mail: access.address, subject: 'Hello', content: 'It works.', is_html: false });
  return `TOKEN=${shell(access.token)}
curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d ${shell(body)} \\
  ${shell(`${access.origin}/api/send_mail`)}`;
}

export function pythonSend(access: Access): string {
  return `import smtplib
from email.message import EmailMessage

TOKEN = ${python(access.token)}

mail = EmailMessage()
mail["From"] = ${python(access.address)}
mail["To"] = ${python(access.address)}
mail["Subject"] = "Hello"
mail.set_content("It works.")

with smtplib.SMTP(${python(access.smtpHost)}, ${access.smtpPort}) as server:
${access.starttls ? '    server.starttls()\n' : ''}    server.login("jwt", TOKEN)
    server.send_message(mail)`;
}

export function curlSmtp(access: Access): string {
  return `printf 'From: ${access.address}\\r\\nTo: ${access.address}\\r\\nSubject: Hello\\r\\n\\r\\nIt works.\\r\\n' |
  curl ${access.starttls ? '--ssl-reqd ' : ''}--url ${shell(`smtp://${access.smtpHost}:${access.smtpPort}`)} \\
    --user ${shell(`jwt:${access.token}`)} \\
    --mail-from ${shell(access.address)} --mail-rcpt ${shell(access.address)} --upload-file -`;
}

/** What a client of the Model Context Protocol reads; the token opens this one mailbox to it (docs/mcp.md). */
export function mcpConfig(access: Access): string {
  return JSON.stringify({ mcpServers: { mailbox: { type: 'http', url: `${access.origin}/mcp`, headers: { Authorization: `Bearer ${access.token}` } } } }, null, 2);
}

/** Everything at once, for programs that look after mailboxes. */
export function everything(access: Access): string {
  const { origin, address, token } = access;
  return JSON.stringify({ api: origin, address, jwt: token, smtp: { host: access.smtpHost, port: access.smtpPort }, imap: { host: access.imapHost, port: access.imapPort } }, null, 2);
}

export function pythonImap(access: Access): string {
  return `import imaplib

TOKEN = ${python(access.token)}

with imaplib.IMAP4(${python(access.imapHost)}, ${access.imapPort}) as server:
${access.imapStarttls ? '    server.starttls()\n' : ''}    server.login(${python(access.address)}, TOKEN)
    server.select("INBOX", readonly=True)
    _, found = server.search(None, "UNSEEN")
    for number in found[0].split():
        _, parts = server.fetch(number.decode(), "(BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])")
        print(parts[0][1].decode())`;
}
