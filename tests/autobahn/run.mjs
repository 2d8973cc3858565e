// The Autobahn|Testsuite's fuzzing client at an echo, straight and through the proxy. On a route that relays unread, every
// verdict must be the echo's own; a reading route, which answers in the engine's place, is held to `reading.json`.
//
//   node tests/autobahn/run.mjs FOLDER [--cases=1.*,2.*] [--keep]
//
// FOLDER is what `.ci/autobahn` set up; `--keep` writes reading.json anew. Exits with 1 when a verdict differs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { proxyListening, startProgram, stopProgram } from '../../demo/processes.mjs';
import { newSecret, signToken } from '../clients/support/tokens.mjs';

const { WebSocketServer } = createRequire(new URL('../clients/', import.meta.url))('ws');

const EXPECTED = new URL('reading.json', import.meta.url);
const ORIGIN = 'http://app.test';
/** Above the suite's largest message. */
const LARGEST = 64 << 20;
/** What a reading route is shown: framing, fragments, UTF-8, closes. The others say the same louder. */
const READ = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.1.*', '7.*'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cases: { type: 'string', default: '*' }, keep: { type: 'boolean', default: false } },
});
const [tools] = positionals;
const bin = resolve(process.env.QIX_BIN ?? 'target/debug');

const began = Date.now();
const echo = await startEcho();
const secrets = { identity: newSecret(), session: newSecret() };
const proxy = await startProxy(`http://127.0.0.1:${echo.address().port}`);
try {
  const cases = values.cases.split(',');
  const [straight, through, reading] = await Promise.all([
    fuzz('straight', `ws://127.0.0.1:${echo.address().port}/`, cases),
    fuzz('through', `${proxy.address.replace('http', 'ws')}/any/app/echo`, cases),
    fuzz('reading', `${proxy.address.replace('http', 'ws')}/reading/app/echo`, READ),
  ]);
  process.exitCode = (await judge(straight, through, reading)) ? 0 : 1;
} finally {
  await stopProgram(proxy);
  echo.close();
  for (const client of echo.clients) client.terminate();
}

/** What the suite is relayed to: it compresses whatever it may. */
async function startEcho() {
  const server = new WebSocketServer({
    host: '127.0.0.1', port: 0, maxPayload: LARGEST, perMessageDeflate: { threshold: 0 },
  });
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('error', () => {});
  });
  await once(server, 'listening');
  return server;
}

async function startProxy(engine) {
  const folder = join(tools, 'proxy');
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'qix-proxy.toml');
  await writeFile(config, proxyConfig(engine));
  return startProgram({
    name: 'qix-proxy',
    command: join(bin, 'qix-proxy'),
    args: ['run', '--config', config],
    env: { IDENTITY_KEY: secrets.identity, SESSION_SECRET: secrets.session },
    log: join(folder, 'qix-proxy.log'),
    listening: proxyListening,
  });
}

function proxyConfig(engine) {
  const route = (path, access) => `
[[route]]
path = "${path}"
origins = ["${ORIGIN}"]
[[route.session]]
kind = "jwt"
cookie = "session"
secret = { env = "SESSION_SECRET" }
[route.access]
${access}
[route.credential]
kind = "none"
[route.engine]
url = "${engine}"
[route.limits]
client_message = "64 MiB"
`;
  return `identity_key = { env = "IDENTITY_KEY" }
[log]
format = "json"
[listen]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
[limits]
opens_per_minute = 100000
${route('/any', 'apps = "any"\nmethods = "any"')}${route('/reading', 'apps = ["echo"]\nmethods = "consumer"')}`;
}

/** Runs the suite at one address: its verdict on each case. */
async function fuzz(agent, url, cases) {
  const folder = join(tools, agent);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const spec = join(folder, 'spec.json');
  const server = { agent, url, origin: ORIGIN };
  await writeFile(spec, JSON.stringify({ outdir: folder, servers: [server], cases, 'exclude-cases': [], 'exclude-agent-cases': {} }));
  const child = spawn(join(tools, 'python'), [new URL('fuzz.py', import.meta.url).pathname, spec], {
    env: { PATH: process.env.PATH, COOKIE: `session=${signToken(secrets.session)}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said = (said + text).slice(-4000); });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${agent}: the suite ended with ${code}\n${said}`);
  const index = JSON.parse(await readFile(join(folder, 'index.json')))[agent];
  return new Map(Object.entries(index).map(([name, { behavior, behaviorClose, remoteCloseCode }]) =>
    [name, `${behavior} / ${behaviorClose} / ${remoteCloseCode ?? 'none'}`]));
}

/** Prints how they compare; whether all is as it must be. */
async function judge(straight, through, reading) {
  const differing = differences(straight, through);
  if (values.keep) await writeFile(EXPECTED, `${JSON.stringify(Object.fromEntries(sorted(reading)), null, 2)}\n`);
  const expected = new Map(Object.entries(JSON.parse(await readFile(EXPECTED))));
  const strange = differences(expected, reading);
  print('straight', straight);
  print('through', through);
  print('reading', reading);
  for (const line of differing) console.log(`straight → through  ${line}`);
  for (const line of strange) console.log(`expected → reading  ${line}`);
  console.log(`${straight.size} cases straight and through: ${differing.length} differ; ${reading.size} on a reading route: `
    + `${strange.length} unexpected; ${((Date.now() - began) / 1000).toFixed(0)} s`);
  return differing.length === 0 && strange.length === 0 && straight.size > 0;
}

function differences(expected, found) {
  const names = sorted(new Map([...expected, ...found])).map(([name]) => name);
  return names.filter((name) => expected.get(name) !== found.get(name))
    .map((name) => `${name.padEnd(9)} ${expected.get(name)} → ${found.get(name)}`);
}

function print(agent, verdicts) {
  const counts = new Map();
  for (const verdict of verdicts.values()) {
    const [behavior] = verdict.split(' / ');
    counts.set(behavior, (counts.get(behavior) ?? 0) + 1);
  }
  console.log(`${agent.padEnd(9)} ${[...counts].map(([behavior, count]) => `${count} ${behavior}`).join(', ')}`);
}

function sorted(verdicts) {
  return [...verdicts].sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }));
}
