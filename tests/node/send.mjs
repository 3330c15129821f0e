// Sends one message with nodemailer. Standard input is JSON: {transport, message}.
import { createTransport } from "nodemailer";

let input = "";
for await (const piece of process.stdin) input += piece;
const { transport, message } = JSON.parse(input);
const info = await createTransport(transport).sendMail(message);
process.stdout.write(JSON.stringify({ accepted: info.accepted, response: info.response }));
