// Drives the official client of the sending API. Standard input is JSON: {url, key, calls}; each call
// is {mail: {...}} or {service, fields, verb}. The answers come back as a list.
import smtp2go from "smtp2go-nodejs";

const { default: SMTP2GOApi, Service } = smtp2go;

let input = "";
for await (const piece of process.stdin) input += piece;
const { url, key, headers, calls } = JSON.parse(input);
const api = SMTP2GOApi(key);
const client = api.client();
client.apiUrl = url;
if (headers) client.setHeaders(headers);

function letter(fields) {
  const mail = api.mail();
  for (const name of ["to", "cc", "bcc"]) if (fields[name]) mail[name](fields[name]);
  for (const name of ["from", "subject", "html", "text", "headers"]) if (fields[name]) mail[name](fields[name]);
  if (fields.template) mail.template(fields.template, new Map(Object.entries(fields.values)));
  for (const path of fields.attach ?? []) mail.attach(path);
  for (const [cid, path] of fields.inline ?? []) mail.inline(cid, path);
  return mail;
}

function service({ service: path, fields, verb }) {
  return fields === undefined ? api.service(path) : new Service(path, new Map(Object.entries(fields)), verb);
}

const answers = [];
for (const call of calls) {
  const answer = await client.consume(call.mail ? letter(call.mail) : service(call));
  // A refusal comes as the whole answer of the HTTP library.
  answers.push(answer?.config ? { status: answer.status, data: answer.data } : (answer ?? null));
}
process.stdout.write(JSON.stringify(answers));
