// @qlik/sdk, which knows no path before /app: a route at `/`, and the app's token as its API key.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import Qlik, { AuthType } from '@qlik/sdk';

import { FINANCE, SALES, cubeOf, rowsOf, salesByRegion, total } from './support/apps.mjs';
import { nextEvent, until } from './support/waiting.mjs';
import { startWorld } from './support/world.mjs';

const ACCESS_DENIED = 5;

describe('@qlik/sdk', () => {
  let world;
  before(async () => {
    world = await startWorld();
  });
  after(() => world?.stop());

  const open = async (claims = { apps: [SALES] }) => {
    const qlik = new Qlik({ authType: AuthType.APIKey, host: world.proxy, apiKey: world.token(claims) });
    const app = qlik.apps.createSessionApp(SALES); // an app by its id, without a REST call
    const session = await app.open();
    return { app, session };
  };

  test('opens an app and reads a hypercube', async () => {
    const { app, session } = await open();
    const regions = await salesByRegion(app);
    assert.equal(regions.size, 5);
    const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
    assert.deepEqual(rowsOf(await sum.getLayout()), [[total(regions)]]);
    await session.close();
  });

  test('selects, and the numbers follow', async () => {
    const { app, session } = await open();
    const regions = await salesByRegion(app);
    const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
    const [[cell]] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
    await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [cell.qElemNumber], false);
    const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
    assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(cell.qText)]]);
    await session.close();
  });

  test('makes a hundred calls at once', async () => {
    const { app, session } = await open();
    const whole = total(await salesByRegion(app));
    const factors = Array.from({ length: 100 }, (_, at) => at + 1);
    const objects = await Promise.all(factors.map((factor) => app.createSessionObject(cubeOf(undefined, `Sum(Sales)*${factor}`))));
    const layouts = await Promise.all(objects.map((object) => object.getLayout()));
    assert.deepEqual(layouts.map((layout) => rowsOf(layout)[0][0]), factors.map((factor) => whole * factor));
    await session.close();
  });

  test('is denied the script, and goes on', async () => {
    const { app, session } = await open();
    await assert.rejects(app.getScript(), { errorCode: ACCESS_DENIED });
    assert.ok((await app.getAppLayout()).qTitle);
    await session.close();
  });

  test('hears of a restart as 4003, and opens again', async () => {
    const { session } = await open();
    const closed = nextEvent(session, 'closed');
    await world.sim.script({ live: { close: { code: 4003, reason: '' } } });
    assert.equal((await closed).code, 4003);
    const { app, session: next } = await open();
    assert.ok((await app.getAppLayout()).qTitle);
    await next.close();
  });

  test('gets no socket for an app that is not permitted', async () => {
    await assert.rejects(open({ apps: [FINANCE] }));
  });

  test('was asked nothing that the engine does not know', async () => {
    assert.deepEqual(await world.sim.unknown(), []);
    await until('the engine to be left', async () => (await world.sim.state()).sockets_open === 0);
  });
});
