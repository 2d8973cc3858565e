// Starts the whole demo on loopback: the stand-in for Qlik, the proxy, the app. Secrets are made here for this run
// and live in the environments of the two programs alone. Ctrl-C stops all of it; a program that dies takes the
// others with it, loudly.
import { randomBytes } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startApp } from './app-server.mjs';
import { proxyListening, simListening, startProgram, stopProgram } from './processes.mjs';
import { proxyConfig } from './proxy-config.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const bin = resolve(process.env.QIX_BIN ?? join(here, '../target/debug'));
const run = resolve(process.env.QIX_DEMO_RUN ?? join(here, '.run'));
const port = Number(process.env.PORT ?? 8080);

const running = [];
let stopping;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(0));

try {
  await start();
} catch (error) {
  fail(error);
}

async function start() {
  await access(join(here, 'dist/page.js')).catch(() => {
    throw new Error('the page is not built: npm ci && npm run build, in demo/');
  });
  await mkdir(run, { recursive: true });
  const secret = newSecret();
  const upstreams = {};

  const sim = await program('engine-sim', ['--listen', '127.0.0.1:0'], { ENGINE_SIM_CLIENTS: `demo=${secret}` }, simListening);
  upstreams.sim = sim.address;
  const app = await startApp({ port, upstreams });
  running.push(app);
  const config = join(run, 'qix-proxy.toml');
  await writeFile(config, proxyConfig({ app: app.url, engine: sim.address }));
  const secrets = { DEMO_CLIENT_SECRET: secret, DEMO_IDENTITY_KEY: newSecret() };
  const proxy = await program('qix-proxy', ['run', '--config', config], secrets, proxyListening);
  upstreams.proxy = proxy.address;
  if (!stopping) console.log(`demo ready: ${app.url}/`);
}

async function program(name, args, env, listening) {
  const started = await startProgram({
    name, args, env, listening, command: join(bin, name), log: join(run, `${name}.log`), onDeath: fail,
  });
  running.push(started);
  return started;
}

function newSecret() {
  return randomBytes(32).toString('base64url');
}

function fail(error) {
  if (stopping) return;
  console.error(error.code === 'EADDRINUSE' ? `port ${port} is taken: choose another, PORT=8081 make demo` : `demo failed: ${error.message}`);
  stop(1);
}

/** Stops everything, the newest first, and ends with `code`. */
function stop(code) {
  stopping ??= (async () => {
    for (const one of running.splice(0).reverse()) await (one.child ? stopProgram(one) : one.stop());
    process.exitCode = code;
  })();
}
