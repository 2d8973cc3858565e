// Runs the image: its entry point, as its user, in nothing but its files. It must say that it is ready, find an engine by
// name, trust that engine for the sake of the CA roots in the image and no other reason, and stop clean on SIGTERM.
//
//   node .ci/image-check.mjs ROOT-FOLDER FOLDER     FOLDER holds image.json, and the two CAs certs/ and strangers/
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { startProgram, stopProgram } from '../demo/processes.mjs';

// Whoever is told to stop takes along what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const [root, folder] = process.argv.slice(2);
const image = JSON.parse(await readFile(join(folder, 'image.json'))).Docker.config;
const secrets = { identity: newSecret(), session: newSecret(), key: newSecret() };
const stops = [];
// The resolver that the image finds: an address of this machine that nobody else has a reason to sit on.
const RESOLVER = '127.53.53.53';
const ENGINE = 'engine.test';
// What a websocket's accept key is made with (RFC 6455, 1.3).
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

try {
  await check();
  console.log('image: ready, resolves, dials a trusted engine and no other, stops clean');
} catch (error) {
  console.error(await readFile(join(folder, 'qix-proxy.log'), 'utf8').catch(() => 'the proxy never started'));
  throw error;
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function check() {
  assert.deepEqual(image.Entrypoint, ['/qix-proxy']);
  assert.deepEqual(image.Cmd, ['run', '--config', '/etc/qix-proxy/qix-proxy.toml']);
  assert.deepEqual(image.Healthcheck.Test, ['CMD', '/qix-proxy', 'health']);
  assert.equal(image.User, '65532:65532');

  await startResolver();
  const trusted = await startEngine('certs');
  const strange = await startEngine('strangers');
  await furnish(config({ trusted, strange }));
  const proxy = await startProxy();
  const health = await promisify(execFile)(...inside('/qix-proxy', 'health', '--address', proxy.admin));
  assert.equal(health.stderr, '');

  const opened = await upgrade(`${proxy.public}/trusted/app/some-app`);
  assert.equal(opened, 101, 'a trusted engine, by name');
  const refused = await upgrade(`${proxy.public}/strange/app/some-app`);
  assert.ok(refused >= 500, `an engine that no root of the image vouches for answered ${refused}`);

  assert.equal(await stopProgram(proxy.program), 'ended with 0', 'on SIGTERM');
}

/** What a container's runtime brings along, the config and the secrets; and the engine's CA among the roots. */
async function furnish(text) {
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  await writeFile(join(root, 'etc/resolv.conf'), `nameserver ${RESOLVER}\n`);
  await mkdir(join(root, 'run/secrets'), { recursive: true });
  for (const [name, secret] of Object.entries(secrets)) {
    await writeFile(join(root, 'run/secrets', name), `${secret}\n`);
    await chmod(join(root, 'run/secrets', name), 0o444);
  }
  await writeFile(join(root, 'etc/qix-proxy/qix-proxy.toml'), text);
  await appendFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), await readFile(join(folder, 'certs/ca.pem')));
}

function config(engines) {
  const routes = Object.entries(engines).map(([name, port]) => `
[[route]]
path = "/${name}"
origins = ["https://app.example.com"]
clients_without_origin = "bearer"
refusal = "status"
[[route.session]]
kind = "jwt"
secret = { file = "/run/secrets/session" }
algorithms = ["HS256"]
[route.access]
apps = "any"
[route.credential]
kind = "api-key"
shared = true
key = { file = "/run/secrets/key" }
[route.engine]
url = "https://${ENGINE}:${port}"
server_name = "localhost"
`);
  return `identity_key = { file = "/run/secrets/identity" }
listen.address = "127.0.0.1:0"
admin.address = "127.0.0.1:0"
log.format = "json"
${routes.join('')}`;
}

/** A resolver that knows one name, and its IPv4 address alone. */
async function startResolver() {
  const socket = createSocket('udp4');
  const labels = ENGINE.split('.').map((label) => `${String.fromCharCode(label.length)}${label}`);
  const name = Buffer.from(`${labels.join('')}\0`);
  socket.on('message', (query, from) => {
    const question = query.subarray(12, 12 + name.length + 4);
    const known = question.subarray(0, name.length).equals(name);
    const address = known && question.readUInt16BE(name.length) === 1;
    const head = Buffer.from([...query.subarray(0, 2), 0x81, known ? 0x80 : 0x83, 0, 1, 0, address ? 1 : 0, 0, 0, 0, 0]);
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    socket.send(Buffer.concat([head, question, ...(address ? [answer] : [])]), from.port, from.address);
  });
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.bind(53, RESOLVER, resolve);
  });
  stops.push(() => socket.close());
}

/** An engine that opens a socket for whoever has the key, and no more. */
async function startEngine(ca) {
  const pem = (name) => readFile(join(folder, ca, name));
  const [key, cert] = await Promise.all([pem('server-key.pem'), pem('server.pem')]);
  const server = createServer({ key, cert });
  server.on('upgrade', ({ headers }, socket) => {
    const known = headers.authorization === `Bearer ${secrets.key}`;
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${GUID}`).digest('base64');
    const head = known
      ? `101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`
      : '401 Unauthorized\r\nContent-Length: 0';
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 ${head}\r\n\r\n`);
    stops.push(() => socket.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => server.close());
  return server.address().port;
}

async function startProxy() {
  const doors = {};
  const [command, args] = inside(...image.Entrypoint, ...image.Cmd);
  const program = await startProgram({
    name: 'qix-proxy',
    command,
    args,
    env: {},
    log: join(folder, 'qix-proxy.log'),
    listening: ({ message, door, address }) => {
      if (message === 'listening') doors[door] = address;
      return doors.public && doors.admin;
    },
  });
  stops.push(() => stopProgram(program));
  return { program, admin: doors.admin, public: `http://${doors.public}` };
}

function inside(...command) {
  return ['/usr/sbin/chroot', [`--userspec=${image.User}`, '--groups=', root, ...command]];
}

/** Asks for a websocket as a client with a token, and gives the status of the answer. */
function upgrade(url) {
  const headers = {
    Authorization: `Bearer ${sessionToken()}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers });
    asked.on('error', reject);
    asked.on('response', (answer) => resolve(answer.resume().statusCode));
    asked.on('upgrade', (answer, socket) => {
      socket.on('error', () => {});
      stops.push(() => socket.destroy());
      resolve(answer.statusCode);
    });
    asked.end();
  });
}

function sessionToken() {
  const parts = [{ alg: 'HS256', typ: 'JWT' }, { sub: 'somebody', sid: 'one', exp: Math.floor(Date.now() / 1000) + 300 }];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secrets.session).update(text).digest('base64url')}`;
}

function newSecret() {
  return randomBytes(32).toString('base64url');
}
