// The app's own session in its own Redis (express-session, connect-redis), with enigma.js through the proxy.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { SALES, salesByRegion } from './support/apps.mjs';
import { sessionOf, versions } from './support/enigma.mjs';
import { RECHECK, startRedisWorld, untilReady, visit } from './support/redis-app.mjs';
import { nextEvent, until } from './support/waiting.mjs';
import { ORIGIN } from './support/world.mjs';

const [library] = versions;

// Sockets of one session share its engine session, as they do at Qlik.
const ALREADY_OPEN = 1002;

describe('an Express app with its sessions in Redis', () => {
  let world;
  before(async () => {
    world = await startRedisWorld();
  });
  after(() => world?.stop());

  const headers = (cookie) => ({ Cookie: cookie, Origin: ORIGIN });
  const logIn = async (name, { base = world.app.base, lasting } = {}) => visit(`${base}/login/${name}${lasting ? `?lasting=${lasting}` : ''}`);
  const knock = (cookie) => sessionOf(library, `${world.proxy}/qlik/app/${SALES}`, headers(cookie));
  const open = async (cookie) => {
    const session = knock(cookie);
    const global = await session.open();
    const app = global.openDoc(SALES).catch((error) => (error.code === ALREADY_OPEN ? global.getActiveDoc() : Promise.reject(error)));
    return { session, app: await app };
  };
  const refusal = async (cookie) => {
    const session = knock(cookie);
    const closed = nextEvent(session, 'closed');
    session.open().catch(() => {});
    return (await closed).code;
  };
  /** The code a socket ends with, and how long after `begun` it did. */
  const end = async (session, begun) => {
    const { code } = await nextEvent(session, 'closed');
    return { code, after: Date.now() - begun };
  };

  /** How often the proxy has looked at sessions. */
  const looks = async () => {
    const statistics = await world.app.client.info('commandstats');
    return Number(/cmdstat_getrange:calls=(\d+)/.exec(statistics)?.[1] ?? 0);
  };

  test('who logged in to the app opens Qlik', async () => {
    const { cookie } = await logIn('ada');
    const { session, app } = await open(cookie);
    assert.equal((await salesByRegion(app)).size, 5);
    await session.close();
  });

  test('who did not log in gets 4006, whatever cookie they bring', async () => {
    const { cookie: anonymous } = await visit(`${world.app.base}/`, { method: 'GET' });
    const { cookie } = await logIn('ada');
    const id = decodeURIComponent(cookie).match(/s:([^.]+)\./)[1];
    const forged = `connect.sid=${encodeURIComponent(`s:${id}.${'A'.repeat(43)}`)}`;
    for (const bad of [anonymous, forged, `connect.sid=${id}`, 'connect.sid=s%3A', `connect.sid=${'x'.repeat(4000)}`]) {
      assert.equal(await refusal(bad), 4006, bad.slice(0, 40));
    }
  });

  test('a logout in the app ends its sockets within the recheck, and nobody else’s', async () => {
    const [ada, eve] = [await logIn('ada'), await logIn('eve')];
    const { session: one } = await open(ada.cookie);
    const { session: two } = await open(ada.cookie);
    const { session: other, app } = await open(eve.cookie);
    const ends = [one, two].map((session) => end(session, Date.now()));
    await visit(`${world.app.base}/logout`, { cookie: ada.cookie });
    for (const { code, after: took } of await Promise.all(ends)) {
      assert.equal(code, 4006);
      assert.ok(took < RECHECK + 1000, `${took} ms`);
    }
    assert.equal(await refusal(ada.cookie), 4006);
    assert.equal((await salesByRegion(app)).size, 5);
    await other.close();
  });

  test('a session that expires ends its socket within a second', async () => {
    const lasting = 2500;
    const begun = Date.now();
    const { cookie } = await logIn('ada', { lasting });
    const { session } = await open(cookie);
    const { code, after: took } = await end(session, begun);
    assert.equal(code, 4006);
    assert.ok(took > lasting - 1000 && took < lasting + 1000, `${took} ms`);
  });

  test('a session that slides with the app goes on, and the proxy alone does not make it slide', async () => {
    const lasting = 6000;
    const begun = Date.now();
    const { cookie, body } = await logIn('ada', { lasting });
    const { session } = await open(cookie);
    let closed;
    session.on('closed', ({ code }) => {
      closed = { code, at: Date.now() };
    });
    let last;
    const left = async () => await world.app.client.pTTL(`sess:${body.id}`) < lasting / 2;
    while (Date.now() < begun + lasting + 1000) {
      await until('half of its time', left);
      await visit(`${world.app.base}/`, { method: 'GET', cookie });
      last = Date.now();
      assert.equal(closed, undefined);
    }
    await until('the socket to end', () => closed);
    assert.equal(closed.code, 4006);
    assert.ok(closed.at - last < lasting + 1000, `${closed.at - last} ms`);
  });

  test('a secret that was rotated out still counts while it is named', async () => {
    const { cookie } = await logIn('ada', { base: world.app.rotated });
    const { session } = await open(cookie);
    await session.close();
  });

  test('sockets outlive a Redis that is killed; nobody new gets in; it is found when it is back', async () => {
    const { cookie } = await logIn('ada');
    const newcomer = await logIn('grace');
    const { session, app } = await open(cookie);
    let closed = false;
    session.on('closed', () => {
      closed = true;
    });
    await world.redis.kill();
    await until('the proxy to miss Redis', async () => /session store fails/.test(await world.proxyLog()));
    assert.equal(await refusal(newcomer.cookie), 4211);
    assert.equal((await salesByRegion(app)).size, 5);
    await world.redis.start();
    await untilReady(world.app.client);
    await until('the proxy to find Redis', async () => {
      const again = await open(cookie).catch(() => undefined);
      await again?.session.close();
      return again;
    });
    const before = await looks();
    await until('two looks at the session', async () => await looks() >= before + 2);
    assert.equal(closed, false);
    const ended = end(session, Date.now());
    await visit(`${world.app.base}/logout`, { cookie });
    const { code, after: took } = await ended;
    assert.equal(code, 4006);
    assert.ok(took < RECHECK + 1000, `${took} ms`);
  });

  test('the proxy logs no session and no secret', async () => {
    const { cookie, body } = await logIn('ada');
    const { session } = await open(cookie);
    await session.close();
    const log = await world.proxyLog();
    assert.match(log, /session store fails/);
    assert.match(log, /session store answers again/);
    for (const secret of [body.id, world.secrets.session, world.secrets.older, world.secrets.machine]) assert.ok(!log.includes(secret));
  });
});
