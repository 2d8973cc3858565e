// enigma.js and @qlik/api before Qlik Sense Enterprise on Windows and a bare engine, with each kind of credential.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { openAppSession } from '@qlik/api/qix';

import { SALES, cubeOf, rowsOf, salesByRegion, total } from './support/apps.mjs';
import { bearer, cookie, sessionOf, versions } from './support/enigma.mjs';
import { nextEvent, within } from './support/waiting.mjs';
import { kinds, startWindows } from './support/windows.mjs';

describe('Windows and bare engines', () => {
  let world;
  before(async () => {
    world = await startWindows();
  });
  after(() => world?.stop());

  for (const kind of kinds) {
    for (const library of versions) {
      test(`enigma.js ${library.version} opens an app by ${kind}, selects, and the numbers follow`, async () => {
        const token = world.token({ sub: 'ada', apps: [SALES] });
        const url = `${world.proxy}/${kind}/app/${SALES}`;
        const session = sessionOf(library, url, cookie(token, world.origin));
        const notices = [];
        session.on('notification:OnAuthenticationInformation', (notice) => notices.push(notice));
        const global = await within('the engine', session.open());
        const user = await global.getAuthenticatedUser();
        assert.equal(user, { core: 'ada', passed: 'ada', open: 'anonymous' }[kind] ?? 'UserDirectory=CORP; UserId=ada');
        const app = await global.openDoc(SALES);
        const regions = await salesByRegion(app);
        const bars = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
        const [[cell]] = (await bars.getLayout()).qHyperCube.qDataPages[0].qMatrix;
        await bars.selectHyperCubeValues('/qHyperCubeDef', 0, [cell.qElemNumber], false);
        const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
        assert.deepEqual(rowsOf(await sum.getLayout()), [[regions.get(cell.qText)]]);
        const expected = ['engine', 'core', 'passed', 'open'].includes(kind) ? [] : [{ mustAuthenticate: false }];
        assert.deepEqual(notices, expected);
        await session.close();
      });
    }

    test(`@qlik/api opens an app by ${kind} and reads a hypercube`, async () => {
      const token = world.token({ sub: 'bob', apps: [SALES] });
      const hostConfig = { host: `${world.proxy}/${kind}`, authType: 'apikey', apiKey: token };
      const session = openAppSession({ appId: SALES, hostConfig });
      const app = await within('the app', session.getDoc());
      const regions = await salesByRegion(app);
      const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
      assert.deepEqual(rowsOf(await sum.getLayout()), [[total(regions)]]);
      await session.close();
    });
  }

  for (const library of versions) {
    test(`enigma.js ${library.version} hears by its code why Qlik ends a session`, async () => {
      for (const [method, code] of [
        ['OnMaxParallelSessionsExceeded', 4205], ['OnLicenseAccessDenied', 4230], ['OnNoEngineAvailable', 4240],
        ['OnNoRepositoryAvailable', 4211], ['OnSessionTimedOut', 4001], ['OnSessionLoggedOut', 4200],
      ]) {
        const token = world.token({ sub: 'eve', apps: [SALES] });
        const session = sessionOf(library, `${world.proxy}/jwt/app/${SALES}`, cookie(token, world.origin));
        const global = await within('the engine', session.open());
        await global.engineVersion();
        const notice = nextEvent(session, `notification:${method}`);
        const closed = nextEvent(session, 'closed');
        await world.script({ live: { notice: { method, message: '' } } });
        assert.equal((await notice).severity, 'fatal');
        assert.equal((await closed).code, code, method);
      }
    });
  }

  test('sixteen sockets of one person are one session at each virtual proxy', async () => {
    const [library] = versions;
    for (const kind of kinds.slice(0, 4)) {
      const token = world.token({ sub: 'many', apps: [SALES] });
      const sessions = Array.from({ length: 16 }, () => sessionOf(library, `${world.proxy}/${kind}/app/${SALES}`, bearer(token)));
      const globals = await within('all of them', Promise.all(sessions.map((session) => session.open())));
      await Promise.all(globals.map((global) => global.engineVersion()));
      const theirs = (await world.sessions()).filter(({ person, virtual_proxy: proxy }) => person.id === 'many' && proxy === `vp-${kind}`);
      assert.equal(theirs.length, 1, kind);
      await Promise.all(sessions.map((session) => session.close()));
    }
    const tally = await world.tally();
    assert.equal(tally.sockets_over_limit, 0);
    assert.equal(tally.sockets_asked, 0);
  });

  test("a person's groups come to Qlik as the app's session has them", async () => {
    const [library] = versions;
    for (const kind of ['jwt', 'ticket', 'session']) {
      const token = world.token({ sub: 'grouped', apps: [SALES], groups: ['sales', 'R&D'] });
      const session = sessionOf(library, `${world.proxy}/${kind}/app/${SALES}`, bearer(token));
      await within('the engine', session.open());
      const theirs = (await world.sessions()).filter(({ person, virtual_proxy: proxy }) => person.id === 'grouped' && proxy === `vp-${kind}`);
      assert.deepEqual(theirs.map(({ attributes }) => attributes), [[{ Group: 'sales' }, { Group: 'R&D' }]], kind);
      await session.close();
    }
  });

  test('the log has no secret', async () => {
    const log = await world.proxyLog();
    const secrets = [...(await world.secrets()), world.coreSecret, ...world.signing.split('\n').slice(1, -2)];
    assert.ok(secrets.length > 10);
    for (const secret of secrets) assert.ok(!log.includes(secret), 'a secret is in the log');
    assert.ok(log.includes('socket opened'));
  });
});

// With autoResume @qlik/api says nothing before a Windows that has not said that it was let in: it waits for ever.
describe('a Windows that speaks first', () => {
  let world;
  before(async () => {
    world = await startWindows({ speaks: 'at-once' });
  });
  after(() => world?.stop());

  for (const kind of kinds.slice(0, 4)) {
    test(`@qlik/api with autoResume hears by ${kind} that it was let in`, async () => {
      const token = world.token({ sub: 'bob', apps: [SALES] });
      const hostConfig = { host: `${world.proxy}/${kind}`, authType: 'apikey', apiKey: token, forceIsWindows: true };
      const session = openAppSession({ appId: SALES, hostConfig, autoResume: true });
      const app = await within('the app', session.getDoc());
      const sum = await app.createSessionObject(cubeOf(undefined, 'Sum(Sales)'));
      assert.equal(rowsOf(await sum.getLayout()).length, 1);
      await session.close();
    });
  }
});
