// A real Express app whose sessions stand in a real Redis, and the proxy that reads them there.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';

import { proxyListening, simListening, startProgram, stopProgram } from '../../../demo/processes.mjs';
import { simAt } from './sim.mjs';
import { newSecret } from './tokens.mjs';
import { until } from './waiting.mjs';
import { ORIGIN, bin } from './world.mjs';

/** How often the proxy looks, and how long sockets outlive a Redis that is down, in milliseconds. */
export const RECHECK = 1000;
export const GRACE = 20_000;

/** Starts Redis, the app, the stand-in and the proxy. Stop it all with `stop()`. */
export async function startRedisWorld() {
  const folder = await mkdtemp(join(tmpdir(), 'qix-redis-'));
  const secrets = { session: newSecret(), older: newSecret(), machine: newSecret(), identity: newSecret() };
  const stops = [];
  const stop = async () => {
    for (const undo of stops.splice(0).reverse()) await undo();
    await rm(folder, { recursive: true, force: true });
  };
  const started = async (program) => {
    stops.push(() => stopProgram(program));
    return program;
  };
  try {
    const redis = await startRedis(folder);
    stops.push(redis.stop);
    const app = await startApp(redis.url, secrets);
    stops.push(app.stop);
    const sim = await started(await startSim(folder, secrets));
    const proxy = await started(await startProxy(folder, secrets, redis.url, sim.address));
    return { app, redis, secrets, stop, proxy: proxy.address, sim: simAt(sim.address), proxyLog: () => readFile(proxy.log, 'utf8') };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A Redis on a free port that can be killed and started again. A machine without one fails the suite. */
export async function startRedis(folder) {
  const port = await freePort();
  let program;
  const start = async () => {
    program = await startProgram({
      name: 'redis-server (Debian: apt-get install redis-server)',
      command: 'redis-server',
      args: ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
      env: { PATH: process.env.PATH },
      log: join(folder, 'redis.log'),
      listening: (_, line) => (line.includes('Ready to accept connections') ? line : undefined),
    });
  };
  await start();
  const kill = async () => {
    program.stopping = true;
    program.child.kill('SIGKILL');
    await program.ended;
  };
  return { url: `redis://127.0.0.1:${port}`, kill, start, stop: kill };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The app: log in, log out, stay. Its cookie is the only thing that the tests and the proxy share. */
async function startApp(url, secrets) {
  const client = createClient({ url });
  // It is killed on purpose, and the client finds it again.
  client.on('error', () => {});
  await client.connect();
  const servers = [];
  const listen = async (...signing) => {
    const app = express();
    app.use(session({ store: new RedisStore({ client }), secret: signing, resave: false, saveUninitialized: true }));
    app.post('/login/:name', (request, response) => {
      request.session.user = { id: request.params.name };
      if (request.query.lasting) request.session.cookie.maxAge = Number(request.query.lasting);
      response.json({ id: request.session.id });
    });
    app.post('/logout', (request, response) => request.session.destroy(() => response.json({})));
    app.get('/', (request, response) => response.json({ user: request.session.user ?? null }));
    const server = await new Promise((resolve) => {
      const listening = app.listen(0, '127.0.0.1', () => resolve(listening));
    });
    servers.push(server);
    return `http://127.0.0.1:${server.address().port}`;
  };
  const base = await listen(secrets.session);
  const rotated = await listen(secrets.older);
  return {
    base,
    rotated,
    client,
    stop: async () => {
      for (const server of servers) server.close();
      client.destroy();
    },
  };
}

/** Does something in the app, as a browser that holds `cookie`; gives the cookie it holds afterwards. */
export async function visit(url, { method = 'POST', cookie } = {}) {
  const response = await fetch(url, { method, headers: cookie ? { Cookie: cookie } : {} });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const [set] = response.headers.getSetCookie();
  return { cookie: set?.split(';')[0] ?? cookie, body: await response.json() };
}

/** Waits until the app reaches its Redis again. */
export function untilReady(client) {
  return until('the app to find its Redis', () => client.isReady);
}

function startSim(folder, secrets) {
  return startProgram({
    name: 'engine-sim',
    command: join(bin, 'engine-sim'),
    args: ['--listen', '127.0.0.1:0', '--machine-client', `machine=${secrets.machine}`],
    env: {},
    log: join(folder, 'engine-sim.log'),
    listening: simListening,
  });
}

async function startProxy(folder, secrets, redis, engine) {
  const config = join(folder, 'qix-proxy.toml');
  await writeFile(config, proxyConfig(redis, engine));
  return startProgram({
    name: 'qix-proxy',
    command: join(bin, 'qix-proxy'),
    args: ['run', '--config', config],
    env: { IDENTITY_KEY: secrets.identity, SESSION_SECRET: secrets.session, OLD_SECRET: secrets.older, MACHINE_SECRET: secrets.machine },
    log: join(folder, 'qix-proxy.log'),
    listening: proxyListening,
  });
}

function proxyConfig(redis, engine) {
  return `identity_key = { env = "IDENTITY_KEY" }

[log]
format = "json"

[listen]
address = "127.0.0.1:0"

[admin]
address = "127.0.0.1:0"

[[route]]
path = "/qlik"
origins = ["${ORIGIN}"]

[[route.session]]
kind = "redis"
url = "${redis}"
format = "express"
secrets = [{ env = "SESSION_SECRET" }, { env = "OLD_SECRET" }]
subject = "/user/id"
recheck = "${RECHECK}ms"
grace = "${GRACE}ms"
timeout = "2s"

[route.access]
apps = "any"

[route.credential]
kind = "oauth-client"
shared = true
client_id = "machine"
client_secret = { env = "MACHINE_SECRET" }

[route.engine]
url = "${engine}"
`;
}
