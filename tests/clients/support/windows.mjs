// A world with Qlik Sense Enterprise on Windows and a bare engine, and a proxy with a route for each kind of credential.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as ask } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { proxyListening, startProgram, stopProgram } from '../../../demo/processes.mjs';
import { newSecret, signByKey, signToken } from './tokens.mjs';
import { ORIGIN, bin } from './world.mjs';

/** The routes, each a kind of credential; the first four open a session at a virtual proxy, `vp-` and their name. */
export const kinds = ['jwt', 'header', 'ticket', 'session', 'engine', 'core', 'passed', 'open'];

/** Starts it all on free ports; `speaks` is when the virtual proxies say their first words. Stop it with `stop()`. */
export async function startWindows({ speaks = 'after-first-message' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'qix-windows-'));
  const secrets = { jwt: newSecret(), identity: newSecret(), core: newSecret() };
  const programs = [];
  const start = async (program) => {
    programs.push(await startProgram(program));
    return programs.at(-1);
  };
  const stop = async () => {
    for (const program of programs.splice(0).reverse()) await stopProgram(program);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signing = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(folder, 'jwt.pem'), signing, { mode: 0o600 });
    await writeFile(join(folder, 'jwt-public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    const windows = (await start(windowsSim(folder, speaks))).address;
    const core = (await start(coreSim(folder, 'core', { ENGINE_SIM_CORE_SECRET: secrets.core }))).address;
    const passed = (await start(coreSim(folder, 'passed', { ENGINE_SIM_CORE_SECRET: secrets.jwt }))).address;
    const open = (await start(coreSim(folder, 'open', {}))).address;
    const proxy = await start(await proxyOf(folder, secrets, { windows, core, passed, open }));
    const ca = await readFile(join(folder, 'root.pem'));
    return {
      stop,
      proxy: proxy.address,
      front: windows.listening,
      ca,
      origin: ORIGIN,
      signing,
      coreSecret: secrets.core,
      token: (claims) => signToken(secrets.jwt, claims),
      bearerOf: (claims) => signByKey(signing, claims),
      script: (...faults) => write(`${windows.listening}/__sim/script`, ca, faults),
      tally: () => read(`${windows.listening}/__sim/tally`, ca),
      sessions: () => read(`${windows.listening}/__sim/sessions`, ca),
      secrets: () => read(`${windows.listening}/__sim/secrets`, ca),
      proxyLog: () => readFile(proxy.log, 'utf8'),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function windowsSim(folder, speaks) {
  return {
    name: 'engine-sim windows',
    command: join(bin, 'engine-sim'),
    args: [
      'windows', '--certificates', folder, '--release', 'november-2024', '--jwt', 'vp-jwt', '--jwt-key', join(folder, 'jwt-public.pem'),
      '--header', 'vp-header=X-Qlik-User-Header', '--ticket', 'vp-ticket', '--session', 'vp-session', '--speaks', speaks,
    ],
    env: {},
    log: join(folder, 'windows.log'),
    listening: (line) => line.listening && line,
  };
}

function coreSim(folder, name, env) {
  return {
    name: 'engine-sim core',
    command: join(bin, 'engine-sim'),
    args: ['core'],
    env,
    log: join(folder, `${name}.log`),
    listening: (line) => line.listening,
  };
}

async function proxyOf(folder, secrets, engines) {
  const config = join(folder, 'qix-proxy.toml');
  await writeFile(config, toml(engines));
  return {
    name: 'qix-proxy',
    command: join(bin, 'qix-proxy'),
    args: ['run', '--config', config],
    env: { IDENTITY_KEY: secrets.identity, APP_JWT_SECRET: secrets.jwt, CORE_SECRET: secrets.core },
    log: join(folder, 'qix-proxy.log'),
    listening: proxyListening,
  };
}

function toml({ windows, core, passed, open }) {
  const user = 'user = "{sub}"\nuser_directory = "CORP"\n';
  const certificate = 'certificate = "client.pem"\nkey = "client_key.pem"\n';
  const api = `api_url = "${windows.qps}"\n`;
  const groups = 'list_attributes = { Group = "groups" }\n';
  const front = (prefix) => `url = "${windows.listening}/vp-${prefix}"\nca = "root.pem"`;
  const credentials = {
    jwt: [`kind = "qseow-jwt"\n${user}signing_key = { file = "jwt.pem" }\nlist_claims = { Group = "groups" }`, front('jwt')],
    header: [`kind = "qseow-header"\n${user}header = "x-qlik-user-header"`, front('header')],
    ticket: [`kind = "qseow-ticket"\n${user}${api}${certificate}${groups}`, front('ticket')],
    session: [`kind = "qseow-session"\n${user}${api}${certificate}${groups}`, front('session')],
    engine: [`kind = "engine-certificate"\n${user}${certificate}`, `url = "${windows.engine}"\nca = "root.pem"`],
    core: ['kind = "bearer-jwt"\nsubject = "{sub}"\nsigning_secret = { env = "CORE_SECRET" }', `url = "${core}"`],
    passed: ['kind = "passed-bearer"', `url = "${passed}"`],
    open: ['kind = "none"', `url = "${open}"`],
  };
  const routes = kinds.map((kind) => route(kind, ...credentials[kind]));
  return `identity_key = { env = "IDENTITY_KEY" }

[log]
format = "json"

[listen]
address = "127.0.0.1:0"

[admin]
address = "127.0.0.1:0"
${routes.join('')}`;
}

function route(kind, credential, engine) {
  return `
[[route]]
path = "/${kind}"
origins = ["${ORIGIN}"]
clients_without_origin = "bearer"

[[route.session]]
kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }
algorithms = ["HS256"]

[route.access]
apps_claim = "apps"
methods = "consumer"

[route.credential]
${credential}

[route.engine]
${engine}
`;
}

const read = (url, ca) => tell('GET', url, ca);
const write = (url, ca, body) => tell('POST', url, ca, JSON.stringify(body));

/** Asks the stand-in's control door, whose certificate its own authority signed. */
function tell(method, url, ca, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'Content-Type': 'application/json' } : {};
    const request = ask(url, { ca, method, headers }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${url}: ${response.statusCode} ${text}`));
    });
    request.on('error', reject);
    request.end(body);
  });
}
