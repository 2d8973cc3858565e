// A world for one suite: the stand-in for Qlik and the proxy, on free ports, with secrets of their own.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { proxyListening, simListening, startProgram, stopProgram } from '../../../demo/processes.mjs';
import { simAt } from './sim.mjs';
import { newSecret, signToken } from './tokens.mjs';

export const bin = resolve(process.env.QIX_BIN ?? fileURLToPath(new URL('../../../target/debug', import.meta.url)));

// The runner ends a suite that takes too long by a signal: go the way that takes the programs along.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const CONFIG = 'qix-proxy.toml';

/** The origin that the routes allow; no server needs to be there. */
export const ORIGIN = 'http://app.test:1234';

/**
 * Starts a stand-in and a proxy before it, with routes of one's own if any are given. Stop it with `stop()`.
 * `listen` may add tables below `[listen]`; `prepare` may put files into the world's folder, and say how else the programs are started.
 */
export async function startWorld({ routes = threeRoutes, listen = () => '', prepare = async () => ({}) } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'qix-clients-'));
  const secrets = { jwt: newSecret(), trusted: newSecret(), machine: newSecret(), apiKey: newSecret(), identity: newSecret(), admin: newSecret() };
  const programs = [];
  const stop = async () => {
    for (const program of programs.splice(0).reverse()) await stopProgram(program);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const more = await prepare({ folder, secrets });
    const sim = await startSim({ folder, secrets, more });
    programs.push(sim);
    const proxy = await startProxy({ folder, secrets, toml: listen() + routes(sim.address, folder) });
    programs.push(proxy);
    return {
      secrets,
      stop,
      origin: ORIGIN,
      proxy: proxy.address,
      sim: simAt(sim.address),
      token: (claims) => signToken(secrets.jwt, claims),
      proxyLog: () => readFile(proxy.log, 'utf8'),
      terminateProxy: () => stopProgram(proxy),
      startAnotherProxy: async () => {
        const toml = listen() + routes(sim.address, folder);
        const other = await startProxy({ folder, secrets, toml, name: `qix-proxy-${programs.length}` });
        programs.push(other);
        return other.address;
      },
      /** Changes the config's text, and lets the first proxy read it anew. */
      reload: async (change) => {
        const config = join(folder, CONFIG);
        await writeFile(config, change(await readFile(config, 'utf8')));
        proxy.child.kill('SIGHUP');
      },
      /** Asks at the first proxy's operators' door. */
      operate: async (method, path) => {
        const facts = (await readFile(proxy.log, 'utf8')).split('\n').filter(Boolean).map((line) => JSON.parse(line));
        const { address } = facts.find(({ message, door }) => message === 'listening' && door === 'admin');
        return fetch(`http://${address}${path}`, { method, headers: { Authorization: `Bearer ${secrets.admin}` } });
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startSim({ folder, secrets, more: { simArgs = [], simEnv = {} } }) {
  return startProgram({
    name: 'engine-sim',
    command: join(bin, 'engine-sim'),
    args: ['--listen', '127.0.0.1:0', '--machine-client', `machine=${secrets.machine}`, ...simArgs],
    env: { ENGINE_SIM_CLIENTS: `trusted=${secrets.trusted}`, ENGINE_SIM_API_KEY: secrets.apiKey, ...simEnv },
    log: join(folder, 'engine-sim.log'),
    listening: simListening,
  });
}

async function startProxy({ folder, secrets, toml, name = 'qix-proxy' }) {
  const config = join(folder, CONFIG);
  await writeFile(config, proxyConfig(toml));
  return startProgram({
    name,
    command: join(bin, 'qix-proxy'),
    args: ['run', '--config', config],
    env: {
      IDENTITY_KEY: secrets.identity,
      APP_JWT_SECRET: secrets.jwt,
      TRUSTED_SECRET: secrets.trusted,
      MACHINE_SECRET: secrets.machine,
      API_KEY: secrets.apiKey,
      ADMIN_TOKEN: secrets.admin,
    },
    log: join(folder, `${name}.log`),
    listening: proxyListening,
  });
}

function proxyConfig(routes) {
  return `identity_key = { env = "IDENTITY_KEY" }

[log]
format = "json"

[listen]
address = "127.0.0.1:0"

[admin]
address = "127.0.0.1:0"
token = { env = "ADMIN_TOKEN" }
${routes}`;
}

/** Three routes: people at `/qlik` and, for libraries that know no prefix, at `/`; a machine's token at `/machine`. */
function threeRoutes(engine) {
  const machine = { id: 'machine', kind: 'oauth-client', secret: 'MACHINE_SECRET', user: 'shared = true' };
  const checked = { origins: [ORIGIN], session: OWN_TOKENS };
  return [
    route('/qlik', { engine, credential: PERSON, ...checked }),
    route('/', { engine, credential: PERSON, ...checked }),
    route('/machine', { engine, credential: machine, ...checked }),
  ].join('');
}

const PERSON = { id: 'trusted', kind: 'oauth-impersonation', secret: 'TRUSTED_SECRET', user: 'user = { field = "subject", claim = "sub" }' };

const OWN_TOKENS = `kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }
algorithms = ["HS256"]`;

/** A route with the engine at `engine`, for the sessions and the pages that are named; `more` are tables of its own. */
export function route(path, { engine, origins, session, credential = PERSON, clients = 'bearer', more = '' }) {
  const { id, kind, secret, user } = credential;
  return `
[[route]]
path = "${path}"
origins = ${JSON.stringify(origins)}
clients_without_origin = "${clients}"

[[route.session]]
${session}

[route.access]
apps_claim = "apps"
methods = "consumer"

[route.credential]
kind = "${kind}"
client_id = "${id}"
client_secret = { env = "${secret}" }
${user}

[route.engine]
url = "${engine}"
${more}`;
}
