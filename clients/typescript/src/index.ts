export { Caller, Refused, type CallOptions, type CallerOptions } from "./caller.js";
export * from "./generated.js";
export { Mailbox, MailboxService, NoMail, type WaitOptions, type Wishes } from "./mailbox.js";
