// enigma.js, as it was and as it is, against the proxy.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { FINANCE, SALES, cubeOf, rowsOf, salesByRegion, total } from './support/apps.mjs';
import { bearer, cookie, sessionOf, versions } from './support/enigma.mjs';
import { nextEvent, until, within } from './support/waiting.mjs';
import { startWorld } from './support/world.mjs';

const ACCESS_DENIED = 5;
const NOT_CONNECTED = -1;
const SUSPENDED = -11;

for (const library of versions) {
  describe(`enigma.js ${library.version}`, () => {
    let world;
    before(async () => {
      world = await startWorld();
    });
    after(() => world?.stop());

    const open = async ({ token = world.token({ apps: [SALES] }), headers = bearer(token), ...settings } = {}) => {
      const session = sessionOf(library, `${world.proxy}/qlik/app/${SALES}`, headers, settings);
      const global = await session.open();
      return { session, global, app: await global.openDoc(SALES) };
    };

    test('opens an app, and reads what the engine itself says', async () => {
      const { session, app } = await open();
      const direct = sessionOf(library, `${world.sim.base}/app/${SALES}`, bearer(world.secrets.apiKey));
      const directApp = await (await direct.open()).openDoc(SALES);

      const through = await salesByRegion(app);

      assert.equal(through.size, 5);
      assert.ok(total(through) > 0);
      assert.deepEqual(through, await salesByRegion(directApp));
      await session.close();
      await direct.close();
    });

    test('selects, and the numbers follow by delta', async () => {
      const { session, app } = await open();
      const regions = await salesByRegion(app);
      const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
      assert.deepEqual(rowsOf(await sum.getLayout()), [[total(regions)]]);

      const changed = within('the change', new Promise((resolve) => sum.once('changed', resolve)));
      const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
      const [first] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
      assert.equal(await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [first[0].qElemNumber], false), true);
      await changed;

      assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(first[0].qText)]]);
      await app.clearAll();
      assert.deepEqual(rowsOf(await sum.getLayout()), [[total(regions)]]);
      await session.close();
    });

    test('makes a hundred calls at once, and each gets its own answer', async () => {
      const { session, app } = await open();
      const whole = total(await salesByRegion(app));
      const factors = Array.from({ length: 100 }, (_, at) => at + 1);

      const objects = await Promise.all(factors.map((factor) => app.createSessionObject(cubeOf(undefined, `Sum(Sales)*${factor}`))));
      const layouts = await Promise.all(objects.map((object) => object.getLayout()));

      assert.deepEqual(layouts.map((layout) => rowsOf(layout)[0][0]), factors.map((factor) => whole * factor));
      await session.close();
    });

    test('is denied what a consumer may not do, and goes on', async () => {
      const { session, global, app } = await open();
      await world.sim.reset();
      const denied = { code: ACCESS_DENIED };

      await assert.rejects(app.getScript(), denied);
      await assert.rejects(app.doReload(), denied);
      await assert.rejects(app.doSave(), denied);
      await assert.rejects(global.getDocList(), denied);
      await assert.rejects(global.openDoc(FINANCE), denied);
      await assert.rejects(global.createSessionApp(), denied);

      assert.ok((await app.getAppLayout()).qTitle);
      assert.deepEqual(await world.sim.calls(), ['GetAppLayout'], 'no denied call reaches the engine');
      await session.close();
    });

    for (const [sent, received] of [[4003, 4003], [4001, 4001], [1011, 1011], [4000, 4200], [1000, 4200], [undefined, 4200]]) {
      test(`hears of ${sent ?? 'no code'} from the engine as ${received}`, async () => {
        const { session } = await open();
        const closed = nextEvent(session, 'closed');
        await world.sim.script({ live: { close: { code: sent, reason: 'the engine said so' } } });
        assert.equal((await closed).code, received);
      });
    }

    test('hears of an engine that vanished as 4206', async () => {
      const { session } = await open();
      const closed = nextEvent(session, 'closed');
      await world.sim.script({ live: 'drop' });
      assert.equal((await closed).code, 4206);
    });

    test('fails a call in flight when the socket ends', async () => {
      const { session, app } = await open();
      await world.sim.script({ call: 'mute' });
      const call = app.getAppLayout().then(assert.fail, (error) => error);
      await until('the call to arrive', async () => (await world.sim.calls()).at(-1) === 'GetAppLayout');
      const closed = nextEvent(session, 'closed');
      await world.sim.script({ live: { close: { code: 4003, reason: '' } } });
      await closed;
      const { code, original } = await within('the failure', call);
      assert.equal(code, NOT_CONNECTED);
      assert.equal(original?.code, library.tellsOriginal ? 4003 : undefined);
    });

    test('hears of the end of the app session as 4006', async () => {
      const token = world.token({ apps: [SALES], exp: Math.floor(Date.now() / 1000) + 2 });
      const { session } = await open({ headers: cookie(token, world.origin) });
      assert.equal((await nextEvent(session, 'closed')).code, 4006);
      await until('the engine to be left', async () => (await world.sim.state()).sockets_open === 0);
    });

    test('hears why it is refused, when it is a browser of an allowed origin', async () => {
      const strange = world.token({ apps: [FINANCE] });
      for (const [token, code] of [['no token at all', 4006], [strange, 4203]]) {
        const session = sessionOf(library, `${world.proxy}/qlik/app/${SALES}`, cookie(token, world.origin));
        const closed = nextEvent(session, 'closed');
        session.open().catch(() => {});
        assert.equal((await closed).code, code);
      }
    });

    test('gets no socket from a foreign origin, nor without any credential', async () => {
      const token = world.token({ apps: [SALES] });
      for (const headers of [cookie(token, 'http://evil.test'), { Cookie: `app_session=${token}` }, {}]) {
        const session = sessionOf(library, `${world.proxy}/qlik/app/${SALES}`, headers);
        let opened = false;
        session.on('opened', () => {
          opened = true;
        });
        await assert.rejects(within('a refusal', session.open()));
        assert.equal(opened, false);
      }
    });

    test('is suspended by 4003, resumes, and finds its selections', async () => {
      const { session, app } = await open({ suspendOnClose: true });
      const regions = await salesByRegion(app);
      const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
      const [[cell]] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
      await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [cell.qElemNumber], false);

      const suspended = nextEvent(session, 'suspended');
      await world.sim.script({ live: { close: { code: 4003, reason: '' } } });
      const { code, initiator } = await suspended;
      assert.deepEqual({ code, initiator }, { code: 4003, initiator: 'network' });
      await assert.rejects(app.getAppLayout(), { code: SUSPENDED });

      const resumed = nextEvent(session, 'resumed');
      await session.resume();
      await resumed;
      const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
      assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(cell.qText)]]);
      await session.close();
    });

    test('leaves nobody behind when it goes', async () => {
      const { session } = await open();
      await session.close();
      await until('the engine to be left', async () => (await world.sim.state()).sockets_open === 0);
    });

    test('was asked nothing that the engine does not know', async () => {
      assert.deepEqual(await world.sim.unknown(), []);
    });

    test('is told 4003 when the proxy stops', async () => {
      const { session } = await open();
      const closed = nextEvent(session, 'closed');
      const ended = world.terminateProxy();
      assert.equal((await closed).code, 4003);
      assert.equal(await ended, 'ended with 0');
    });
  });
}
