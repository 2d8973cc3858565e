// Chromium at a door with TLS: once it has a connection of HTTP/2, its websockets are streams of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { SALES } from './support/apps.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
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

for (const { offer, http, spoken } of [
  { offer: true, http: 'HTTP/2.0', spoken: 'h2' },
  { offer: false, http: 'HTTP/1.1', spoken: 'http/1.1' },
]) {
  describe(`Chromium where HTTP/2 is ${offer ? 'offered' : 'not offered'}`, () => {
    let world;
    let browser;
    before(async () => {
      const tls = {};
      world = await startWorld({
        prepare: async ({ folder }) => Object.assign(tls, certify(folder)) && {},
        listen: () => `
[listen.tls]
certificate = "${tls.certificate}"
key = "${tls.key}"
[listen.http2]
offer = ${offer}
`,
        routes: (engine) => route('/qlik', { engine, origins: ['https://page.test'], session: SESSION }),
      });
      browser = await startBrowser('--ignore-certificate-errors', `--host-resolver-rules=MAP page.test:443 ${new URL(world.proxy).host}`);
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
      const protocolOf = () => performance.getEntriesByType('resource').find(({ name }) => name.includes('csrf-token')).nextHopProtocol;
      assert.equal(await page.evaluate(protocolOf), spoken);

      assert.equal(await closeCode(page, socket), 4006, 'nobody is signed in');
      const value = world.token({ apps: [SALES] });
      await context.addCookies([{ name: 'app_session', value, url: 'https://page.test/' }]);
      const answers = await callEngine(page, socket, CALL, 3);
      assert.ok(answers.every(({ result }) => result.qVersion));

      const opened = async () => (await world.proxyLog()).split('\n').filter((line) => line.includes('"socket opened"')).map((line) => JSON.parse(line));
      const lines = await until('three records', async () => (await opened()).length === 3 && opened());
      assert.deepEqual(lines.map((line) => (line.fields ?? line).http), [http, http, http]);
      await context.close();
    });
  });
}
