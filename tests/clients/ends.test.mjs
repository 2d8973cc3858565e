// Why a socket ends, with what code, how soon, and what the client libraries then do. The README's table "When sockets
// end" is held to what is seen here, row by row.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { FINANCE, SALES } from './support/apps.mjs';
import { startAskedApp, startAuthority, startStore } from './support/asked-app.mjs';
import { startDisguise } from './support/disguise.mjs';
import { cookie } from './support/enigma.mjs';
import { apiSession, enigmaSession, tellsToResume } from './support/listeners.mjs';
import { startRedis } from './support/redis-app.mjs';
import { signToken } from './support/tokens.mjs';
import { until, within } from './support/waiting.mjs';
import { ORIGIN, route, startWorld } from './support/world.mjs';

const ISSUER = 'https://idp.test';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const [RECHECK, GRACE, IDLE] = [300, 1_000, 1_500];
const SECOND = 1_000;
const MINUTE = 60_000;
/** Long enough that everybody is in before it is over. */
const SHORT = 4_000;
const CLIENTS = ['closing', 'suspending', 'api'];
const MOST = 4;

const TOKENS = `kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }
issuer = "${ISSUER}"
logout_audience = "the-app"`;

const INGRESS = `kind = "trusted-header"
peers = ["127.0.0.1"]
subject = "x-user"
lists = { apps = "x-apps" }
max_age = "${SHORT}ms"`;

describe('when sockets end', () => {
  let world;
  let app;
  let authority;
  let store;
  let folder;
  let shared;
  const rows = [];

  before(async () => {
    const known = { clients: CLIENTS, apps: [SALES] };
    app = await startAskedApp(known);
    authority = await startAuthority(known);
    folder = await mkdtemp(join(tmpdir(), 'qix-ends-'));
    shared = await startRedis(folder);
    world = await startWorld({
      prepare: async ({ secrets }) => {
        store = await startStore({ ...known, secret: secrets.jwt });
        return {};
      },
      routes: (engine) => routes(engine, { app, authority, store, shared }),
    });
  });
  after(async () => {
    for (const one of [world, app, authority, store, shared]) await one?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const token = (claims) => signToken(world.secrets.jwt, { iss: ISSUER, apps: [SALES], ...claims });
  const now = () => Math.floor(Date.now() / SECOND);

  /** The cookies of one person's three clients, each a session of its own. */
  const tokensOf = (sub, claims) => CLIENTS.map(() => token({ sub, ...claims }));

  /** Opens the three clients of one person. */
  const enter = async ({ path = '/qlik', cookies, id = SALES, dress = cookie }) => {
    const ways = await Promise.all(cookies.map((value) => startDisguise({ target: world.proxy, headers: dress(value, ORIGIN) })));
    const [closing, suspending, api] = ways.map((way) => `${way.url}${path}`);
    return {
      ways,
      closing: enigmaSession(`${closing}/app/${id}`, {}),
      suspending: enigmaSession(`${suspending}/app/${id}`, { suspendOnClose: true }),
      api: apiSession(api, id),
    };
  };

  const leave = async ({ ways, closing, suspending, api }) => {
    // What is suspended never says that it is closed.
    for (const { session } of [closing, suspending, api]) session.close().catch(() => {});
    await Promise.all(ways.map((way) => way.stop()));
  };

  /** The Closes that the clients hear of: the code, the same for all, and how long after `begun` the last came. */
  const heardBy = async ({ closing, suspending, api }, begun) => {
    const closes = await Promise.all([closing.heard('closed'), suspending.heard('suspended'), api.heard('suspended')]);
    const [code, ...others] = closes.map((close) => close.code);
    assert.deepEqual(others, [code, code]);
    return { code, took: Math.max(...closes.map((close) => close.at)) - begun };
  };

  /** What @qlik/api does by itself, and what becomes of a suspended enigma.js session that is told to resume. */
  const sequel = async ({ suspending, api }) => {
    const resumed = await tellsToResume(suspending);
    const resuming = api.events.some(({ type }) => type === 'resuming');
    if (resuming) await api.heard('resumed');
    const last = api.events.filter((event) => event.code !== undefined).at(-1);
    return { enigma: resumed, api: resuming ? 'resumes by itself' : `stays ${last.type}` };
  };

  const keep = ({ event, code, soon, enigma, api }) => {
    const row = `| ${event} | ${code} | ${soon} | ${enigma} | ${api} |`;
    rows.push(row);
    console.log(row);
  };

  /** Sockets that are open, and end for a reason. */
  const ends = ({ event, soon, code, least = 0, most, path, cookies, dress, cause = () => {} }) => {
    test(`${event}: ${code}`, async (t) => {
      const clients = await enter({ path, dress, cookies: await cookies() });
      t.after(() => leave(clients));
      for (const name of CLIENTS) await within(`an app for ${name}`, clients[name].opened());
      const begun = Date.now();
      const due = (await cause(clients)) ?? begun;
      const heard = await heardBy(clients, due);
      assert.equal(heard.code, code);
      assert.ok(heard.took >= least && heard.took <= most, `${heard.took} ms`);
      keep({ event, code, soon, ...(await sequel(clients)) });
    });
  };

  /** Sockets that are open, and go on past what would have been their end: `cause` sees to that, and waits for it. */
  const goesOn = ({ event, path, cookies, cause }) => {
    test(`${event}: goes on`, async (t) => {
      const clients = await enter({ path, cookies: await cookies() });
      t.after(() => leave(clients));
      for (const name of CLIENTS) await within(`an app for ${name}`, clients[name].opened());
      await cause(clients);
      for (const name of CLIENTS) {
        assert.ok(await clients[name].isAlive(), name);
        assert.deepEqual(clients[name].events.filter(({ code }) => code !== undefined), [], name);
      }
      keep({ event, code: '–', soon: '–', enigma: 'goes on', api: 'goes on' });
    });
  };

  /** The issuer tells a proxy of a logout. */
  const announce = async (proxy, claims) => {
    const whole = { iss: ISSUER, aud: 'the-app', sid: undefined, jti: randomUUID(), events: { [EVENT]: {} }, ...claims };
    const body = new URLSearchParams({ logout_token: signToken(world.secrets.jwt, whole) });
    const { status } = await fetch(`${proxy}/qlik/backchannel-logout`, { method: 'POST', body });
    assert.equal(status, 200);
  };

  const untilPast = (moment) => until('the end that was', () => Date.now() > moment + SECOND);

  /** Sockets that are closed as soon as they open. */
  const refuses = ({ event, code, path, id, cookies, prelude = () => {} }) => {
    test(`${event}: ${code}`, async (t) => {
      const release = await prelude();
      t.after(() => release?.());
      const clients = await enter({ path, id, cookies: await cookies() });
      t.after(() => leave(clients));
      const failures = CLIENTS.map((name) => clients[name].opened().then(assert.fail, (error) => error));
      const failure = await within('a failure', failures[0]);
      const closed = await clients.closing.heard('closed');
      assert.equal(closed.code, code);
      const { suspending, api } = clients;
      const first = await until('an end', () => suspending.events.find(({ type }) => type === 'suspended' || type === 'closed'));
      assert.equal(first.code, code);
      const told = await until('an end', () => api.events.find((it) => it.code !== undefined));
      assert.equal(told.code, code);
      assert.ok(!api.events.some(({ type }) => type === 'resuming'));
      keep({ event, code, soon: 'at once', enigma: `fails its calls with ${failure.code}`, api: `stays ${told.type}` });
    });
  };

  let expiry;
  ends({
    event: 'the token expires',
    code: 4006,
    soon: 'within 1 s',
    most: SECOND,
    cookies: () => {
      expiry = now() + 4;
      return tokensOf('ada', { exp: expiry });
    },
    cause: () => expiry * SECOND,
  });

  goesOn({
    event: 'one that the app has issued anew is posted to `{path}/session` before',
    cookies: () => {
      expiry = now() + 4;
      return CLIENTS.map((client) => token({ sub: 'anna', sid: `anna-${client}`, exp: expiry }));
    },
    cause: async () => {
      for (const client of CLIENTS) {
        const headers = cookie(token({ sub: 'anna', sid: `anna-${client}` }), ORIGIN);
        const answer = await fetch(`${world.proxy}/qlik/session`, { method: 'POST', headers });
        assert.equal((await answer.json()).renewed, 1);
      }
      await untilPast(expiry * SECOND);
    },
  });

  ends({
    event: 'a back-channel logout',
    code: 4006,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('bob'),
    cause: () => announce(world.proxy, { sub: 'bob' }),
  });

  ends({
    event: 'one that another replica takes (`[replicas]`)',
    code: 4006,
    soon: 'within 1 s',
    most: SECOND,
    cookies: () => tokensOf('boris'),
    cause: async () => {
      const other = await world.startAnotherProxy();
      const begun = Date.now();
      await announce(other, { sub: 'boris' });
      return begun;
    },
  });

  ends({
    event: 'an operator closes the socket',
    code: 4006,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('bella'),
    cause: async () => {
      const answer = await world.operate('DELETE', '/sockets?subject=bella');
      assert.deepEqual(await answer.json(), { closed: CLIENTS.length });
    },
  });

  ends({
    event: 'a logout at an app that is asked (`forward-auth`)',
    code: 4006,
    soon: 'within `recheck`',
    most: RECHECK + SECOND,
    path: '/asked',
    cookies: () => app.logIn('carol'),
    cause: () => app.logOut('carol'),
  });

  ends({
    event: 'that app lists other apps for the person, in a claim that decides',
    code: 4003,
    soon: 'within `recheck`',
    most: RECHECK + SECOND,
    path: '/asked',
    cookies: () => app.logIn('conrad'),
    cause: () => {
      app.grant('conrad', [SALES, FINANCE]);
    },
  });

  ends({
    event: 'that app fails for longer than `grace`',
    code: 4211,
    soon: 'after `grace`',
    least: GRACE - RECHECK,
    most: GRACE + RECHECK + SECOND,
    path: '/asked',
    cookies: () => app.logIn('dora'),
    cause: () => app.fail(true),
  });

  test('the app is there again', () => app.fail(false));

  ends({
    event: 'a token that is asked about (`introspection`) is revoked',
    code: 4006,
    soon: 'within `recheck`',
    most: RECHECK + SECOND,
    path: '/token',
    cookies: () => authority.issue('nina'),
    cause: () => authority.revoke('nina'),
  });

  ends({
    event: 'a session in Redis (`redis`) is deleted',
    code: 4006,
    soon: 'within `recheck`',
    most: RECHECK + SECOND,
    path: '/store',
    cookies: () => store.logIn('olga', MINUTE),
    cause: async () => {
      await store.logOut('olga');
    },
  });

  let end;
  const lasting = async (user) => {
    const cookies = await store.logIn(user, SHORT);
    end = Date.now() + SHORT;
    return cookies;
  };

  ends({
    event: 'its time to live runs out',
    code: 4006,
    soon: 'within 1 s',
    most: SECOND,
    path: '/store',
    cookies: () => lasting('paul'),
    cause: () => end,
  });

  goesOn({
    event: 'the app moves its time to live on before',
    path: '/store',
    cookies: () => lasting('quinn'),
    cause: async () => {
      await store.moveOn('quinn', MINUTE);
      await untilPast(end);
    },
  });

  goesOn({
    event: 'somebody is at work over the socket, with `touch`',
    path: '/touched',
    cookies: () => lasting('rita'),
    cause: async (clients) => {
      const works = async () => {
        for (const name of CLIENTS) assert.ok(await clients[name].isAlive(), name);
        return Date.now() > end + SECOND;
      };
      await until('the end that was', works);
    },
  });

  ends({
    event: 'that Redis is down for longer than `grace`',
    code: 4211,
    soon: 'after `grace`',
    least: GRACE - RECHECK,
    most: GRACE + RECHECK + SECOND,
    path: '/store',
    cookies: () => store.logIn('sven', MINUTE),
    cause: () => store.kill(),
  });

  ends({
    event: 'a socket by `trusted-header` grows older than `max_age`',
    code: 4006,
    soon: 'after `max_age`',
    most: SHORT + SECOND,
    path: '/ingress',
    cookies: () => CLIENTS.map((client) => `tina-${client}`),
    dress: (user, Origin) => ({ 'X-User': user, 'X-Apps': SALES, Origin }),
  });

  ends({
    event: 'nothing is said for `idle`',
    code: 4001,
    soon: 'after `idle`',
    least: IDLE / 2,
    most: IDLE + SECOND,
    path: '/idle',
    cookies: () => tokensOf('eve'),
  });

  ends({
    event: 'a message over `client_message`',
    code: 1009,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('frank'),
    cause: (clients) => CLIENTS.forEach((name) => clients[name].shout()),
  });

  ends({
    event: 'the connection to the engine breaks',
    code: 4206,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('grace'),
    cause: async () => {
      await world.sim.script({ live: 'drop' });
    },
  });

  ends({
    event: 'the engine ends the session without a code that says why',
    code: 4200,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('heidi'),
    cause: async () => {
      await world.sim.script({ live: { close: { code: 1000, reason: '' } } });
    },
  });

  ends({
    event: 'the config is read anew and leads elsewhere',
    code: 4003,
    soon: 'at once',
    most: SECOND,
    path: '/moved',
    cookies: () => tokensOf('ursula'),
    cause: () => world.reload((toml) => toml.replace('leeway = "20s"', 'leeway = "21s"')),
  });

  ends({
    event: 'the config is read anew and permits the app no more',
    code: 4203,
    soon: 'at once',
    most: SECOND,
    path: '/listed',
    cookies: () => tokensOf('victor'),
    cause: () => world.reload((toml) => toml.replace(`apps = ["${SALES}"]`, `apps = ["${FINANCE}"]`)),
  });

  refuses({ event: 'no session, or one that ended', code: 4006, cookies: () => CLIENTS.map(() => 'no-token') });

  refuses({ event: 'an app that is not permitted', code: 4203, id: FINANCE, cookies: () => tokensOf('ivan') });

  refuses({
    event: 'too many sockets of one subject',
    code: 4205,
    cookies: () => tokensOf('judy'),
    prelude: async () => {
      const url = `${world.proxy.replace('http', 'ws')}/qlik/app/${SALES}`;
      const crowd = Array.from({ length: MOST }, () => new WebSocket(url, { headers: cookie(token({ sub: 'judy' }), ORIGIN) }));
      await Promise.all(crowd.map((socket) => within('a greeting', new Promise((resolve) => socket.once('message', resolve)))));
      return () => crowd.forEach((socket) => socket.terminate());
    },
  });

  refuses({
    event: 'the app that is asked is down (a dependency of the proxy)',
    code: 4211,
    path: '/asked',
    cookies: () => app.logIn('mallory'),
    prelude: () => {
      app.fail(true);
      return () => app.fail(false);
    },
  });

  refuses({
    event: 'the engine does not answer',
    code: 4240,
    cookies: () => tokensOf('oscar'),
    prelude: async () => {
      await world.sim.script(...Array.from({ length: 9 }, () => ({ upgrade: 'drop' })));
      return () => world.sim.reset();
    },
  });

  ends({
    event: 'the proxy restarts, and another is there',
    code: 4003,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('peggy'),
    cause: async ({ ways }) => {
      const other = await world.startAnotherProxy();
      ways.forEach((way) => way.turnTo(other));
      const begun = Date.now();
      world.terminateProxy();
      return begun;
    },
  });

  test('the README says the same', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const section = readme.split('### When sockets end')[1]?.split('\n#')[0] ?? '';
    const said = section.split('\n').filter((line) => /^\| .* \| (\d{4}|–) \|/.test(line));
    assert.deepEqual(said, rows);
  });
});

function routes(engine, { app, authority, store, shared }) {
  const checked = { engine, origins: [ORIGIN], clients: 'refuse' };
  const rhythm = `recheck = "${RECHECK}ms"\ngrace = "${GRACE}ms"\ncache = "0s"`;
  const asked = `kind = "forward-auth"
url = "${app.url}"
cookies = ["app_session"]
subject = "/user"
session = "/session"
claims = { apps = "/apps" }
${rhythm}`;
  const opaque = `kind = "introspection"
url = "${authority.url}"
cookie = "app_session"
client_id = "proxy"
client_secret = { env = "APP_JWT_SECRET" }
${rhythm}`;
  const stored = `kind = "redis"
url = "${store.url}"
cookie = "app_session"
format = "express"
secrets = [{ env = "APP_JWT_SECRET" }]
subject = "/user"
claims = { apps = "/apps" }
${rhythm}`;
  return [
    `[limits]\nsockets_per_subject = ${MOST}\n\n[replicas]\nurl = "${shared.url}"\n`,
    route('/qlik', { ...checked, session: TOKENS, more: '[route.limits]\nclient_message = "64 KiB"\n' }),
    route('/asked', { ...checked, session: asked }),
    route('/token', { ...checked, session: opaque }),
    route('/store', { ...checked, session: stored }),
    route('/touched', { ...checked, session: `${stored}\ntouch = "${SHORT}ms"` }),
    route('/ingress', { ...checked, session: INGRESS }),
    route('/moved', { ...checked, session: `${TOKENS}\nleeway = "20s"` }),
    route('/listed', { ...checked, session: TOKENS }).replace('apps_claim = "apps"', `apps = ["${SALES}"]`),
    route('/idle', { ...checked, session: TOKENS, more: `[route.limits]\nidle = "${IDLE}ms"\n` }),
  ].join('');
}
