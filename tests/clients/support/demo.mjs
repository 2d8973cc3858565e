// The demo as `make demo` starts it, on a free port.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startProgram, stopProgram } from '../../../demo/processes.mjs';
import { simAt } from './sim.mjs';
import { bin } from './world.mjs';

const READY = /^demo ready: (http:\/\/127\.0\.0\.1:\d+)\/$/;

/** Starts the demo, on a free port unless one is named; `log()` is all that the proxy wrote. */
export async function startDemo({ port = '0' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'qix-demo-'));
  const program = await startProgram({
    name: 'the demo',
    command: process.execPath,
    args: [fileURLToPath(new URL('../../../demo/start.mjs', import.meta.url))],
    env: { PATH: process.env.PATH, PORT: port, QIX_BIN: bin, QIX_DEMO_RUN: folder },
    log: join(folder, 'demo.log'),
    listening: (_, text) => READY.exec(text)?.[1],
  });
  const url = program.address;
  const facts = await (await fetch(`${url}/demo.json`)).json();
  return {
    url,
    facts,
    sim: simAt(facts.sim),
    logIn: (user) => logIn(url, user),
    log: (name) => readFile(join(folder, `${name}.log`), 'utf8'),
    stop: async () => {
      const how = await stopProgram(program);
      await rm(folder, { recursive: true, force: true });
      return how;
    },
  };
}

/** Logs in without a browser, and gives the headers of a page that belongs to the app. */
async function logIn(url, user) {
  const answer = await fetch(`${url}/login`, { method: 'POST', body: new URLSearchParams({ user }), redirect: 'manual' });
  const [pair] = answer.headers.getSetCookie()[0].split(';');
  return { Cookie: pair, Origin: url };
}
