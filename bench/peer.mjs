// The same two operations against @modelcontextprotocol/server-memory over stdio, as its own clients call it.
// Usage: node peer.mjs SERVER_MODULE MEMORY_FILE SIZE COUNT → one JSON object: p50 and p95 of create and search in ms.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [module, file, size, count] = process.argv.slice(2);
const child = spawn(process.execPath, [module], {
  env: { ...process.env, MEMORY_FILE_PATH: file },
  stdio: ["pipe", "pipe", "ignore"],
});
const waiting = new Map();
createInterface({ input: child.stdout }).on("line", (line) => {
  const message = JSON.parse(line);
  waiting.get(message.id)?.(message);
  waiting.delete(message.id);
});
let next = 1;
const send = (message) => child.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const ask = (method, params) =>
  new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, (m) => (m.error ? reject(new Error(m.error.message)) : resolve(m.result)));
    send({ id, method, params });
  });
const tool = (name, args) => ask("tools/call", { name, arguments: args });
const entity = (i) => ({
  name: `note ${i}`,
  entityType: "memory",
  observations: [`note ${i} deploy staging database restart prefers coffee meeting tuesday invoice`],
});
const percentile = (values, share) => values.sort((a, b) => a - b)[Math.floor(share * values.length)];
const timed = async (times, work) => {
  const out = [];
  for (let i = 0; i < times; i++) {
    const start = process.hrtime.bigint();
    await work(i);
    out.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  return { p50: percentile(out, 0.5), p95: percentile(out, 0.95) };
};

await ask("initialize", {
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "bench", version: "1" },
});
send({ method: "notifications/initialized" });
await tool("create_entities", { entities: Array.from({ length: Number(size) }, (_, i) => entity(i)) });
const create = await timed(Number(count), (i) => tool("create_entities", { entities: [entity(`fresh ${i}`)] }));
const search = await timed(Number(count), (i) => tool("search_nodes", { query: `note ${i * 7}` }));
console.log(JSON.stringify({ size: Number(size), create, search }));
child.kill();
