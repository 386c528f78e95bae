// The official SDK's client against a running Aeterna: the life of a memory over one transport.
//   node sdk_client.mjs PACKAGES http URL [TOKEN]
//   node sdk_client.mjs PACKAGES stdio COMMAND ARGUMENT...
// PACKAGES is the folder with node_modules. Prints one line per check; exit 1 when one failed.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [packages, transportName, ...rest] = process.argv.slice(2);
const resolve = createRequire(pathToFileURL(path.join(packages, 'package.json'))).resolve;
const load = (name) => import(pathToFileURL(resolve(`@modelcontextprotocol/sdk/${name}`)));
const { Client } = await load('client/index.js');
const { StreamableHTTPClientTransport } = await load('client/streamableHttp.js');
const { StdioClientTransport } = await load('client/stdio.js');

let failed = 0;
function check(what, holds, seen) {
  console.log(`${holds ? 'ok    ' : 'FAILED'}  ${transportName}: ${what}`);
  if (!holds) {
    failed += 1;
    console.log('        saw', JSON.stringify(seen)?.slice(0, 600));
  }
}

const transport =
  transportName === 'http'
    ? new StreamableHTTPClientTransport(new URL(rest[0]), {
        requestInit: rest[1] ? { headers: { Authorization: `Bearer ${rest[1]}` } } : undefined
      })
    : new StdioClientTransport({ command: rest[0], args: rest.slice(1), stderr: 'inherit' });
const client = new Client({ name: 'aeterna-sdk-test', version: '1.0.0' });
await client.connect(transport);

const call = (name, args) => client.callTool({ name, arguments: args });
const structured = async (name, args) => (await call(name, args)).structuredContent;

check('initialize names the server', client.getServerVersion()?.name === 'aeterna', client.getServerVersion());
check('initialize brings instructions', (client.getInstructions() ?? '').includes('memory_search'));
check('only tools are announced', JSON.stringify(Object.keys(client.getServerCapabilities())) === '["tools"]',
  client.getServerCapabilities());
await client.ping();
check('ping', true);

// Listing the tools also lets the client hold every later answer to its output schema.
const { tools } = await client.listTools();
const names = tools.map((tool) => tool.name);
check('the seven memory tools in order', names.join() ===
  'memory_add,memory_search,memory_get,memory_update,memory_delete,memory_feedback,memory_promote', names);

const run = `sdk-${process.pid}-${Date.now()}`;
// Whose memories these are: nobody else's runs on the same folder get in the way.
const identifiers = { userId: run };
const first = { content: 'The team drinks espresso after lunch', metadata: { tags: ['habits'] }, identifiers,
  idempotencyKey: run };
const added = await call('memory_add', first);
const id = added.structuredContent?.memoryId;
check('add answers with an id', typeof id === 'string' && !added.isError, added);
const repeated = await structured('memory_add', first);
check('the same key gives the same answer', JSON.stringify(repeated) === JSON.stringify(added.structuredContent), repeated);
await call('memory_add', { content: 'Backups run on Sunday night', identifiers });

const found = await call('memory_search', { query: 'Who likes coffee?', identifiers, limit: 2 });
check('search finds it by meaning', found.structuredContent?.items?.[0]?.memory?.id === id, found.structuredContent);
check('search reads well', found.content?.[0]?.text?.includes(id), found.content);
const tagged = await structured('memory_search', { query: 'espresso', identifiers, filters: { tags: ['habits'] } });
check('search filters by tag', tagged.items.every((item) => item.memory.metadata.tags.includes('habits')) &&
  tagged.items.length > 0, tagged);

const got = await structured('memory_get', { memoryId: id });
check('get reads it back', got?.content === first.content && got.version === 1, got);
const changed = await structured('memory_update', { memoryId: id, content: 'The team drinks tea after lunch' });
check('update makes version 2', changed?.version === 2, changed);
const conflict = await call('memory_update', { memoryId: id, importance: 1, ifVersion: 1 });
check('a stale version is a conflict', conflict.isError === true &&
  conflict.structuredContent?.error === 'version_mismatch', conflict);
const judged = await structured('memory_feedback', { memoryId: id, rewardType: 'helpful', score: 1 });
check('feedback raises importance', judged?.importance > 0.5, judged);
const shared = await structured('memory_promote', { memoryId: id, targetLayer: 'project',
  identifiers: { projectId: run } });
check('promote makes a memory of the project', shared?.layer === 'project' && shared.memoryId !== id, shared);
const ours = await structured('memory_search', { query: 'tea', layers: ['project'], identifiers: { projectId: run } });
check('the project finds it', ours?.items?.[0]?.memory?.id === shared?.memoryId, ours);

const gone = await structured('memory_delete', { memoryId: id });
check('delete', gone?.deleted === true, gone);
const missing = await call('memory_get', { memoryId: id });
check('what was deleted is not found', missing.isError === true &&
  missing.structuredContent?.error === 'memory_not_found', missing);

const refused = await call('memory_add', { content: 'x', colour: 'red' });
check('an unknown argument is refused', refused.isError === true &&
  refused.structuredContent?.error === 'unknown_field', refused);
const unknown = await client.callTool({ name: 'memory_explode', arguments: {} }).catch((error) => error);
check('an unknown tool is an error of the protocol', unknown?.code === -32602, unknown);
const mine = await call('memory_add', { content: `Nobody said whose this is (${run})` });
check('without identifiers it is the caller\'s', mine.structuredContent?.memory?.identifiers?.userId === 'local', mine);
const own = await structured('memory_search', { query: run });
check('and the caller finds it', own?.items?.[0]?.memory?.id === mine.structuredContent?.memoryId, own);
const many = await Promise.all(Array.from({ length: 50 }, (_, i) =>
  call('memory_add', { content: `Concurrent note ${i} (${run})` })));
check('fifty at once', many.every((one) => !one.isError) &&
  new Set(many.map((one) => one.structuredContent.memoryId)).size === 50);

await client.close();
process.exit(failed > 0 ? 1 : 0);
