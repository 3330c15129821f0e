// An agent in Node: node agent.mjs URL CREDENTIAL, or node agent.mjs COMMAND ARGUMENT...
// Reads one call a line from standard input, {"name", "arguments"}, and prints one result a line.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { createInterface } from "node:readline";

const [first, ...rest] = process.argv.slice(2);
const transport = first.startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(first), {
      requestInit: { headers: { Authorization: `Bearer ${rest[0]}` } },
    })
  : new StdioClientTransport({ command: first, args: rest, stderr: "inherit" });
const client = new Client({ name: "mailbox-tests", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name) }));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const result = await client.callTool(JSON.parse(line));
    console.log(JSON.stringify({ isError: result.isError ?? false, ...result.structuredContent }));
  } catch (error) {
    console.log(JSON.stringify({ code: error.code }));
  }
}
await client.close();
