// The TypeScript client, compiled: node client.mjs FOLDER URL. Prints what it found as one JSON line.
import { pathToFileURL } from "node:url";

const [folder, url] = process.argv.slice(2);
const { MailboxService, NoMail, Refused } = await import(pathToFileURL(`${folder}/index.js`).href);
const service = new MailboxService(url);
const found = {};

const ann = await service.openAddress({ name: "annofnode" });
const bob = await service.openAddress();
await ann.send({ to_mail: [bob.address], subject: "Code", text: "Your verification code is 735911." }, "once");
await ann.send({ to_mail: [bob.address], subject: "Code", text: "Your verification code is 735911." }, "once");
const mail = await bob.wait({ subject: "code", withCode: true, seconds: 60 });
found.code = mail.code;
found.text = mail.text.trim();
found.opened = (await bob.open(mail.id)).from_address;
found.count = (await bob.mails()).length;
found.raw = new TextDecoder().decode(await bob.api.getApiMailsIdRaw({ id: mail.id })).includes("735911");
found.again = await bob.wait({ seconds: 0 }).catch((error) => error instanceof NoMail);
found.taken = await service.openAddress({ name: "annofnode" }).catch((error) =>
  error instanceof Refused ? [error.status, error.code] : String(error),
);
found.same = (await service.mailbox(bob.token)).address === bob.address;
await ann.close();
await bob[Symbol.asyncDispose]();
await bob[Symbol.asyncDispose]();
found.closed = await service.mailbox(bob.token).catch((error) => error instanceof Refused);
console.log(JSON.stringify(found));
