// Pages that hold a bearer and no cookie: enigma.js and @qlik/api by ticket, again and again; and the same in Chromium.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { registerAuthModule } from '@qlik/api/auth';
import { openAppSession } from '@qlik/api/qix';
import WebSocket from 'ws';

import { FINANCE, SALES, cubeOf, rowsOf, salesByRegion, total } from './support/apps.mjs';
import { startBrowser } from './support/browser.mjs';
import { versions } from './support/enigma.mjs';
import { TicketSocket, askTicket } from './support/tickets.mjs';
import { nextEvent, until, within } from './support/waiting.mjs';
import { ORIGIN, route, startWorld } from './support/world.mjs';

const headers = { Origin: ORIGIN };
const TICKETS = `kind = "ticket"

[[route.session]]
kind = "jwt"
secret = { env = "APP_JWT_SECRET" }`;

/** A world for pages of `origin` that hold a bearer and no cookie. */
const startTickets = (origin = ORIGIN) =>
  startWorld({ routes: (engine) => route('/tickets', { engine, origins: [origin], session: TICKETS, clients: 'refuse' }) });
const suspendEngine = { live: { close: { code: 4003, reason: '' } } };

for (const { version, create, schema } of versions) {
  describe(`enigma.js ${version} by ticket`, () => {
    let world;
    before(async () => {
      world = await startTickets();
    });
    after(() => world?.stop());

    const sessionBy = (token, open, tickets = []) => {
      const base = `${world.proxy}/tickets`;
      const ticket = async () => {
        const text = await askTicket(base, { token, app: SALES, headers });
        tickets.push(text);
        return text;
      };
      const url = `${base.replace(/^http/, 'ws')}/app/${SALES}`;
      const createSocket = (address) => new TicketSocket(ticket, (text) => open(address, text));
      return create({ schema, url, createSocket, suspendOnClose: true });
    };
    const carriers = {
      'its URL': (url, ticket) => new WebSocket(`${url}?qix-ticket=${ticket}`, { headers }),
      'its subprotocol': (url, ticket) => new WebSocket(url, `qix-ticket.${ticket}`, { headers }),
    };

    for (const [name, open] of Object.entries(carriers)) {
      test(`opens by ${name}, is suspended, and resumes with a fresh ticket`, async () => {
        const tickets = [];
        const session = sessionBy(world.token({ apps: [SALES] }), open, tickets);
        const app = await (await within('the session', session.open())).openDoc(SALES);
        const regions = await salesByRegion(app);
        const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
        const [[cell]] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
        await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [cell.qElemNumber], false);

        const suspended = nextEvent(session, 'suspended');
        await world.sim.script(suspendEngine);
        assert.equal((await suspended).code, 4003);
        await within('the resume', session.resume());

        const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
        assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(cell.qText)]], 'its selections are still there');
        assert.equal(new Set(tickets).size, 2);
        await session.close();
      });
    }

    test('cannot open with a ticket that was used', async () => {
      const ticket = await askTicket(`${world.proxy}/tickets`, { token: world.token({ apps: [SALES] }), headers });
      const url = `${world.proxy}/tickets/app/${SALES}?qix-ticket=${ticket}`.replace(/^http/, 'ws');
      const plain = () => create({ schema, url, createSocket: (address) => new WebSocket(address, { headers }) });
      const first = plain();
      await first.open();
      const second = plain();
      const closed = nextEvent(second, 'closed');
      second.open().catch(() => {});
      assert.equal((await closed).code, 4006);
      await first.close();
    });

    test('hears 4006 when the token behind its ticket ends, and cannot resume with that token', async () => {
      const token = world.token({ apps: [SALES], exp: Math.floor(Date.now() / 1000) + 2 });
      const session = sessionBy(token, carriers['its URL']);
      await session.open();
      assert.equal((await nextEvent(session, 'suspended')).code, 4006);
      await assert.rejects(session.resume());
    });

    test('gets no ticket for an app that is not its own, nor from a foreign page', async () => {
      const base = `${world.proxy}/tickets`;
      const token = world.token({ apps: [SALES] });
      await assert.rejects(askTicket(base, { token, app: FINANCE, headers }), { status: 403 });
      await assert.rejects(askTicket(base, { token, headers: { Origin: 'http://evil.test' } }), { status: 403 });
      await assert.rejects(askTicket(base, { token: 'nonsense', headers }), { status: 401 });
    });

    test('goes on with a token that is issued anew', async () => {
      const claims = { apps: [SALES], sid: 'renewed', exp: Math.floor(Date.now() / 1000) + 3 };
      const session = sessionBy(world.token(claims), carriers['its URL']);
      const app = await (await session.open()).openDoc(SALES);
      const anew = world.token({ ...claims, exp: claims.exp + 600 });
      const answer = await fetch(`${world.proxy}/tickets/session`, { method: 'POST', headers: { ...headers, Authorization: `Bearer ${anew}` } });
      assert.equal((await answer.json()).renewed, 1);
      await until('the first token to be over', () => Date.now() / 1000 > claims.exp + 1);
      assert.ok(total(await salesByRegion(app)) > 0);
      await session.close();
    });

    test('leaves no ticket in the log', async () => {
      const tickets = [];
      const session = sessionBy(world.token({ apps: [SALES] }), carriers['its URL'], tickets);
      await session.open();
      await session.close();
      const log = await world.proxyLog();
      assert.ok(log.includes('socket opened'));
      assert.ok(tickets.length === 1 && !log.includes(tickets[0]));
      assert.ok(!JSON.stringify(await world.sim.requests()).includes(tickets[0]));
    });
  });
}

describe('@qlik/api by ticket', () => {
  let world;
  before(async () => {
    world = await startTickets();
    registerAuthModule('qix-ticket', {
      requiredProps: ['getToken'],
      getRestCallAuthParams: async ({ hostConfig }) => ({
        headers: { Authorization: `Bearer ${await hostConfig.getToken()}`, ...headers },
        queryParams: {},
        credentials: 'omit',
      }),
      getWebSocketAuthParams: async ({ hostConfig }) => ({
        headers,
        queryParams: { 'qix-ticket': await askTicket(hostConfig.host, { token: await hostConfig.getToken(), headers }) },
      }),
      handleAuthenticationError: async () => ({}),
    });
  });
  after(() => world?.stop());

  test('opens an app, and resumes by itself after 4003 with a fresh ticket', async () => {
    const token = world.token({ apps: [SALES] });
    const hostConfig = { host: `${world.proxy}/tickets`, authType: 'qix-ticket', getToken: async () => token };
    const session = openAppSession({ appId: SALES, hostConfig });
    const events = [];
    session.onWebSocketEvent(({ eventType }) => events.push(eventType));
    const app = await within('the app', session.getDoc());
    const whole = total(await salesByRegion(app));
    assert.ok(whole > 0);

    await world.sim.script(suspendEngine);
    await until('the resume', () => events.includes('resumed'));
    assert.equal(total(await salesByRegion(app)), whole);
    await session.close();
  });
});

describe('Chromium by ticket', () => {
  let world;
  let site;
  let browser;
  before(async () => {
    site = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html><title>an app</title>'));
    await new Promise((listening) => site.listen(0, '127.0.0.1', listening));
    world = await startTickets(`http://127.0.0.1:${site.address().port}`);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await world?.stop();
    site?.close();
  });

  const pageAt = async (host) => {
    const page = await browser.newPage();
    await page.goto(`http://${host}:${site.address().port}/`);
    return page;
  };
  const openTwice = (page, carrier) =>
    page.evaluate(
      async ({ base, app, token, by }) => {
        const answer = await fetch(`${base}/ticket`, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify({ app }) });
        const { ticket } = await answer.json();
        const url = `${base.replace(/^http/, 'ws')}/app/${app}`;
        const open = () => (by === 'query' ? new WebSocket(`${url}?qix-ticket=${ticket}`) : new WebSocket(url, ['qlik', `qix-ticket.${ticket}`]));
        const first = (socket) =>
          new Promise((resolve) => {
            socket.onmessage = ({ data }) => resolve(JSON.parse(data).method);
            socket.onclose = ({ code }) => resolve(code);
          });
        return [await first(open()), await first(open())];
      },
      { base: `${world.proxy}/tickets`, app: SALES, token: world.token({ apps: [SALES] }), by: carrier },
    );

  for (const carrier of ['query', 'subprotocol']) {
    test(`opens by ${carrier} from another origin, once`, async () => {
      const page = await pageAt('127.0.0.1');
      assert.deepEqual(await openTwice(page, carrier), ['OnConnected', 4006]);
      await page.close();
    });
  }

  test('gets no ticket on a page of an origin that the route does not list', async () => {
    const page = await pageAt('localhost');
    await assert.rejects(openTwice(page, 'query'), /Failed to fetch/);
    await page.close();
  });

  test('is told who it is, by bearer, and led to no login page where there is none', async () => {
    const page = await pageAt('127.0.0.1');
    const token = world.token({ apps: [SALES] });
    const told = await page.evaluate(
      async ([base, bearer]) => {
        const ask = async (headers) => (await fetch(`${base}/session`, { headers })).json();
        return [await ask({ Authorization: `Bearer ${bearer}` }), await ask({})];
      },
      [`${world.proxy}/tickets`, token],
    );
    assert.equal(told[0].subject, 'ada');
    assert.equal(told[1].error, 'not_signed_in');
    assert.equal((await fetch(`${world.proxy}/tickets/login`)).status, 404);
    await page.close();
  });
});
