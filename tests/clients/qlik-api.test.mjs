// @qlik/api in Node: the app's token goes where it would put an API key.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { openAppSession } from '@qlik/api/qix';

import { FINANCE, SALES, cubeOf, rowsOf, salesByRegion, total } from './support/apps.mjs';
import { until, within } from './support/waiting.mjs';
import { startWorld } from './support/world.mjs';

const ACCESS_DENIED = 5;

describe('@qlik/api', () => {
  let world;
  before(async () => {
    world = await startWorld();
  });
  after(() => world?.stop());

  /** An app session of its own, with all its events in order. */
  const open = (claims = { apps: [SALES] }) => {
    const hostConfig = { host: `${world.proxy}/qlik`, authType: 'apikey', apiKey: world.token(claims) };
    const session = openAppSession({ appId: SALES, hostConfig });
    const events = [];
    session.onWebSocketEvent(({ eventType, ...event }) => events.push({ type: eventType, ...event }));
    const heard = (type) => until(`the event ${type}`, () => events.find((event) => event.type === type));
    return { session, events, heard };
  };

  test('opens an app and reads a hypercube', async () => {
    const { session } = open();
    const app = await within('the app', session.getDoc());
    const regions = await salesByRegion(app);
    assert.equal(regions.size, 5);
    const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
    assert.deepEqual(rowsOf(await sum.getLayout()), [[total(regions)]]);
    await session.close();
  });

  test('lists the sheets with its own mixin', async () => {
    const { session } = open();
    const app = await within('the app', session.getDoc());
    assert.ok((await app.getSheetList()).length > 0);
    await session.close();
  });

  test('selects, and the numbers follow', async () => {
    const { session } = open();
    const app = await within('the app', session.getDoc());
    const regions = await salesByRegion(app);
    const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
    const [[cell]] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
    await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [cell.qElemNumber], false);
    const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
    assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(cell.qText)]]);
    await session.close();
  });

  test('makes a hundred calls at once', async () => {
    const { session } = open();
    const app = await within('the app', session.getDoc());
    const whole = total(await salesByRegion(app));
    const factors = Array.from({ length: 100 }, (_, at) => at + 1);
    const objects = await Promise.all(factors.map((factor) => app.createSessionObject(cubeOf(undefined, `Sum(Sales)*${factor}`))));
    const layouts = await Promise.all(objects.map((object) => object.getLayout()));
    assert.deepEqual(layouts.map((layout) => rowsOf(layout)[0][0]), factors.map((factor) => whole * factor));
    await session.close();
  });

  test('is denied the script, and goes on', async () => {
    const { session } = open();
    const app = await within('the app', session.getDoc());
    await assert.rejects(app.getScript(), { code: ACCESS_DENIED });
    assert.ok((await app.getAppLayout()).qTitle);
    await session.close();
  });

  test('resumes by itself after 4003, and the app works on', async () => {
    const { session, heard } = open();
    const app = await within('the app', session.getDoc());
    await world.sim.script({ live: { close: { code: 4003, reason: '' } } });
    assert.equal((await heard('suspended')).code, 4003);
    await heard('resumed');
    assert.ok(total(await salesByRegion(app)) > 0);
    await session.close();
  });

  test('stays suspended after 4006 until it is told to resume', async () => {
    const { session, events, heard } = open();
    const app = await within('the app', session.getDoc());
    await world.sim.script({ live: { close: { code: 4006, reason: '' } } });
    assert.equal((await heard('suspended')).code, 4006);
    assert.ok(!events.some(({ type }) => type === 'resuming'));
    await session.resume();
    await heard('resumed');
    assert.ok(total(await salesByRegion(app)) > 0);
    await session.close();
  });

  test('cannot open an app that is not permitted', async () => {
    const { session } = open({ apps: [FINANCE] });
    await assert.rejects(within('a refusal', session.getDoc()));
  });

  test('was asked nothing that the engine does not know', async () => {
    assert.deepEqual(await world.sim.unknown(), []);
    await until('the engine to be left', async () => (await world.sim.state()).sockets_open === 0);
  });
});
