// Two proxies over one Redis: a page asks one for a ticket, and its socket comes to the other.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { SALES, cubeOf, rowsOf, salesByRegion } from './support/apps.mjs';
import { versions } from './support/enigma.mjs';
import { startRedis } from './support/redis-app.mjs';
import { TicketSocket, askTicket } from './support/tickets.mjs';
import { nextEvent, within } from './support/waiting.mjs';
import { ORIGIN, route, startWorld } from './support/world.mjs';

const headers = { Origin: ORIGIN };
const TICKETS = `kind = "ticket"

[[route.session]]
kind = "jwt"
secret = { env = "APP_JWT_SECRET" }`;
const suspendEngine = { live: { close: { code: 4003, reason: '' } } };

for (const { version, create, schema } of versions) {
  describe(`enigma.js ${version} by ticket across replicas`, () => {
    let folder, redis, world, other;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'qix-replicas-'));
      redis = await startRedis(folder);
      const routes = (engine) => `
[replicas]
url = "${redis.url}"
${route('/tickets', { engine, origins: [ORIGIN], session: TICKETS, clients: 'refuse' })}`;
      world = await startWorld({ routes });
      other = await world.startAnotherProxy();
    });
    after(async () => {
      await world?.stop();
      await redis?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    test('opens at the other proxy, is suspended, and resumes at the first one with its selections', async () => {
      const proxies = [world.proxy, other];
      const token = world.token({ apps: [SALES] });
      let turn = 0;
      const ticket = () => askTicket(`${proxies[turn++ % 2]}/tickets`, { token, app: SALES, headers });
      // The socket comes to the proxy that did not give its ticket.
      const open = (text) => new WebSocket(`${proxies[turn % 2]}/tickets/app/${SALES}?qix-ticket=${text}`.replace(/^http/, 'ws'), { headers });
      const createSocket = () => new TicketSocket(ticket, open);
      const session = create({ schema, url: 'ws://app.test/', createSocket, suspendOnClose: true });
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
      assert.equal(turn, 2, 'each socket had a ticket of the other proxy');
      await session.close();
    });

    test('cannot open at either proxy with a ticket that was used at one', async () => {
      const text = await askTicket(`${world.proxy}/tickets`, { token: world.token({ apps: [SALES] }), headers });
      const at = (proxy) => {
        const url = `${proxy}/tickets/app/${SALES}?qix-ticket=${text}`.replace(/^http/, 'ws');
        return create({ schema, url, createSocket: (address) => new WebSocket(address, { headers }) });
      };
      const first = at(other);
      await within('the first session', first.open());
      for (const proxy of [world.proxy, other]) {
        const second = at(proxy);
        const closed = nextEvent(second, 'closed');
        second.open().catch(() => {});
        assert.equal((await closed).code, 4006);
      }
      await first.close();
    });
  });
}
