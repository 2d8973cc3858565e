// Chromium at a door with TLS: once it has a connection of HTTP/2, its websockets are streams of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { WebSocketServer } from 'ws';

import { SALES } from './support/apps.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { startJunction } from './support/junction.mjs';
import { until } from './support/waiting.mjs';
import { route, startWorld } from './support/world.mjs';

const SESSION = `kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }
algorithms = ["HS256"]`;
const CALL = { jsonrpc: '2.0', id: 1, handle: -1, method: 'EngineVersion', params: [] };

/** A certificate, made for this run. */
function certify(folder) {
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(folder, name));
  const subject = ['-subj', '/CN=page.test', '-addext', 'subjectAltName=DNS:page.test'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  return { key, certificate };
}

/** Opens sockets within the page at once, and gives what the engine answers on each. */
const callEngine = (page, url, call, count) =>
  page.evaluate(
    ([url, call, count]) => {
      const open = () =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(url);
          socket.onopen = () => socket.send(JSON.stringify(call));
          socket.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
          socket.onmessage = ({ data }) => {
            const answer = JSON.parse(data);
            if (answer.id === call.id) resolve(answer);
          };
        });
      return Promise.all(Array.from({ length: count }, open));
    },
    [url, call, count],
  );

/** The code that a socket is closed with. */
const closeCode = (page, url) =>
  page.evaluate(
    (url) => new Promise((resolve) => (new WebSocket(url).onclose = ({ code }) => resolve(code))),
    url,
  );

/** A proxy whose door speaks TLS and, where it is offered, HTTP/2; with routes of one's own if any are given. */
function startSecured({ offer = true, routes = people } = {}) {
  const tls = {};
  return startWorld({
    prepare: async ({ folder }) => Object.assign(tls, certify(folder)) && {},
    listen: () => `
[listen.tls]
certificate = "${tls.certificate}"
key = "${tls.key}"
[listen.http2]
offer = ${offer}
`,
    routes,
  });
}

const people = (engine) => route('/qlik', { engine, origins: ['https://page.test'], session: SESSION });

/** A browser for which page.test is at `host`. */
const startBrowserAt = (host) => startBrowser('--ignore-certificate-errors', `--host-resolver-rules=MAP page.test:443 ${host}`);

/** Some page of the door's own origin, for somebody: from one of another address Chromium would not go to this machine. */
async function openDoor(browser, world, claims) {
  const { context, page } = await openPage(browser);
  await page.goto('https://page.test/qlik/api/v1/user-locale');
  await context.addCookies([{ name: 'app_session', value: world.token(claims), url: 'https://page.test/' }]);
  return { context, page };
}

/** The records of sockets that were opened. */
async function openedBy(world) {
  const lines = (await world.proxyLog()).split('\n').filter((line) => line.includes('"socket opened"'));
  return lines.map((line) => JSON.parse(line)).map((line) => line.fields ?? line);
}

for (const { offer, http, spoken } of [
  { offer: true, http: 'HTTP/2.0', spoken: 'h2' },
  { offer: false, http: 'HTTP/1.1', spoken: 'http/1.1' },
]) {
  describe(`Chromium where HTTP/2 is ${offer ? 'offered' : 'not offered'}`, () => {
    let world;
    let browser;
    before(async () => {
      world = await startSecured({ offer });
      browser = await startBrowserAt(new URL(world.proxy).host);
    });
    after(async () => {
      await browser?.close();
      await world?.stop();
    });

    test(`opens its websockets over ${http}, by the same rules`, async () => {
      const { context, page } = await openPage(browser);
      // Some page of the door's own origin: from one of another address Chromium would not go to this machine.
      await page.goto('https://page.test/qlik/api/v1/user-locale');
      const socket = `wss://page.test/qlik/app/${SALES}`;
      const fetched = (path) => page.evaluate((path) => fetch(path).then((it) => it.status), path);
      assert.equal(await fetched('/qlik/api/v1/csrf-token'), 204);
      // A fetch's timing is entered a little after the fetch is answered.
      const protocolOf = () => performance.getEntriesByType('resource').find(({ name }) => name.includes('csrf-token'))?.nextHopProtocol;
      const protocol = await page.waitForFunction(protocolOf);
      assert.equal(await protocol.jsonValue(), spoken);

      assert.equal(await closeCode(page, socket), 4006, 'nobody is signed in');
      const value = world.token({ apps: [SALES] });
      await context.addCookies([{ name: 'app_session', value, url: 'https://page.test/' }]);
      const answers = await callEngine(page, socket, CALL, 3);
      assert.ok(answers.every(({ result }) => result.qVersion));

      const lines = await until('three records', async () => {
        const opened = await openedBy(world);
        return opened.length === 3 && opened;
      });
      assert.deepEqual(lines.map((line) => line.http), [http, http, http]);
      await context.close();
    });
  });
}

/** An engine that says everything twice, and compresses what it can. Stop it with `stop()`. */
async function startEcho() {
  const sockets = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
  server.on('connection', (socket, { socket: tcp }) => {
    sockets.push({ extensions: socket.extensions, read: () => tcp.bytesRead, written: () => tcp.bytesWritten });
    socket.on('message', (data) => socket.send(data.toString() + data.toString()));
  });
  await new Promise((resolve) => server.on('listening', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    sockets,
    stop: () => {
      server.clients.forEach((client) => client.terminate());
      server.close();
    },
  };
}

/** Says something within the page, twice, on one socket; gives the answers and what was agreed upon. */
const sayTwice = (page, url, text) =>
  page.evaluate(
    ([url, text]) =>
      new Promise((resolve, reject) => {
        const answers = [];
        const socket = new WebSocket(url);
        socket.onopen = () => socket.send(text);
        socket.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
        socket.onmessage = ({ data }) => {
          answers.push(data);
          if (answers.length < 2) socket.send(text);
          else resolve({ answers, extensions: socket.extensions });
        };
      }),
    [url, text],
  );

describe('Chromium over HTTP/2', () => {
  test('speaks compressed to an engine, end to end, where nobody reads', async () => {
    const echo = await startEcho();
    const unread = () => `
[[route]]
path = "/qlik"
origins = ["https://page.test"]
[[route.session]]
${SESSION}
[route.access]
apps = "any"
methods = "any"
[route.credential]
kind = "none"
[route.engine]
url = "${echo.url}"
`;
    const world = await startSecured({ routes: unread });
    const browser = await startBrowserAt(new URL(world.proxy).host);
    try {
      const { page } = await openDoor(browser, world, {});
      const text = 'all is well. '.repeat(10_000);
      const { answers, extensions } = await sayTwice(page, `wss://page.test/qlik/app/${SALES}`, text);
      assert.ok(answers.every((answer) => answer === text + text));
      assert.match(extensions, /^permessage-deflate/);
      const [{ http }] = await openedBy(world);
      assert.equal(http, 'HTTP/2.0');
      const [socket] = echo.sockets;
      assert.match(socket.extensions, /permessage-deflate/);
      assert.ok(socket.read() < text.length / 10 && socket.written() < text.length / 10, `${socket.read()} ${socket.written()}`);
    } finally {
      await browser.close();
      await world.stop();
      echo.stop();
    }
  });

  test('comes back by another connection when a proxy stops', async () => {
    const world = await startSecured();
    const junction = await startJunction(world.proxy);
    const browser = await startBrowserAt(junction.host);
    try {
      const { page } = await openDoor(browser, world, { apps: [SALES] });
      const socket = `wss://page.test/qlik/app/${SALES}`;
      // As soon as one is closed the next is opened, as the client libraries do.
      await page.evaluate(
        ([url, call]) => {
          window.codes = [];
          window.answers = 0;
          const open = () => {
            const socket = new WebSocket(url);
            socket.onopen = () => socket.send(JSON.stringify(call));
            socket.onmessage = ({ data }) => (window.answers += JSON.parse(data).id === call.id);
            socket.onclose = ({ code }) => window.codes.push(code) && open();
          };
          for (let count = 0; count < 5; count += 1) open();
        },
        [socket, CALL],
      );
      const answers = () => page.evaluate(() => window.answers);
      await until('five answers', async () => (await answers()) === 5);
      assert.deepEqual((await openedBy(world)).map(({ http }) => http), Array(5).fill('HTTP/2.0'));
      const taken = junction.taken();
      junction.leadTo(await world.startAnotherProxy());
      await world.terminateProxy();
      await until('five more', async () => (await answers()) === 10);
      assert.deepEqual(await page.evaluate(() => window.codes), [4003, 4003, 4003, 4003, 4003]);
      assert.ok(junction.taken() > taken);
    } finally {
      await browser.close();
      await world.stop();
      junction.stop();
    }
  });
});
