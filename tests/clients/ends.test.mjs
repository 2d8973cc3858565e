// Why a socket ends, with what code, how soon, and what the client libraries then do. The README's table "When sockets
// end" is held to what is seen here, row by row.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { openAppSession } from '@qlik/api/qix';
import WebSocket from 'ws';

import { FINANCE, SALES } from './support/apps.mjs';
import { startDisguise } from './support/disguise.mjs';
import { cookie, sessionOf, versions } from './support/enigma.mjs';
import { listen } from './support/http.mjs';
import { signToken } from './support/tokens.mjs';
import { until, within } from './support/waiting.mjs';
import { ORIGIN, route, startWorld } from './support/world.mjs';

const [LIBRARY] = versions;
const ISSUER = 'https://idp.test';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const [RECHECK, GRACE, IDLE] = [300, 1_000, 1_500];
const SECOND = 1_000;
const CLIENTS = ['closing', 'suspending', 'api'];
const MOST = 4;

const TOKENS = `kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }
issuer = "${ISSUER}"
leeway = "0s"
logout_audience = "the-app"`;

describe('when sockets end', () => {
  let world;
  let app;
  const rows = [];

  before(async () => {
    app = await startApp();
    world = await startWorld({ routes: (engine) => routes(engine, app.url) });
  });
  after(async () => {
    await world?.stop();
    await app?.stop();
  });

  const token = (claims) => signToken(world.secrets.jwt, { iss: ISSUER, apps: [SALES], ...claims });
  const now = () => Math.floor(Date.now() / SECOND);

  /** The cookies of one person's three clients, each a session of its own. */
  const tokensOf = (sub, claims) => CLIENTS.map(() => token({ sub, ...claims }));

  /** Opens the three clients of one person. */
  const enter = async ({ path = '/qlik', cookies, id = SALES }) => {
    const ways = await Promise.all(cookies.map((value) => startDisguise({ target: world.proxy, headers: cookie(value, ORIGIN) })));
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
  const ends = ({ event, soon, code, least = 0, most, path, cookies, cause = () => {} }) => {
    test(`${event}: ${code}`, async (t) => {
      const clients = await enter({ path, cookies: await cookies() });
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

  ends({
    event: 'a back-channel logout',
    code: 4006,
    soon: 'at once',
    most: SECOND,
    cookies: () => tokensOf('bob'),
    cause: async () => {
      const claims = { iss: ISSUER, aud: 'the-app', sub: 'bob', sid: undefined, jti: 'j-1', events: { [EVENT]: {} } };
      const body = new URLSearchParams({ logout_token: signToken(world.secrets.jwt, claims) });
      const { status } = await fetch(`${world.proxy}/qlik/backchannel-logout`, { method: 'POST', body });
      assert.equal(status, 200);
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
    event: 'that app fails for longer than `grace`',
    code: 4006,
    soon: 'after `grace`',
    least: GRACE - RECHECK,
    most: GRACE + RECHECK + SECOND,
    path: '/asked',
    cookies: () => app.logIn('dora'),
    cause: () => app.fail(true),
  });

  test('the app is there again', () => app.fail(false));

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
    const said = section.split('\n').filter((line) => /^\| .* \| \d{4} \|/.test(line));
    assert.deepEqual(said, rows);
  });
});

function routes(engine, app) {
  const checked = { engine, origins: [ORIGIN], clients: 'refuse', session: TOKENS };
  const asked = `kind = "forward-auth"
url = "${app}"
cookies = ["app_session"]
subject = "/user"
session = "/session"
claims = { apps = "/apps" }
cache = "0s"
recheck = "${RECHECK}ms"
grace = "${GRACE}ms"`;
  return [
    `[limits]\nsockets_per_subject = ${MOST}\n`,
    route('/qlik', { ...checked, more: '[route.limits]\nclient_message = "64 KiB"\n' }),
    route('/asked', { ...checked, session: asked }),
    route('/idle', { ...checked, more: `[route.limits]\nidle = "${IDLE}ms"\n` }),
  ].join('');
}

/** The app whose endpoint is asked who somebody is. */
async function startApp() {
  const sessions = new Map();
  let failing = false;
  const server = await listen((request, response) => {
    const user = sessions.get(/app_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]);
    if (failing || !user) return response.writeHead(failing ? 500 : 401).end();
    response.setHeader('Content-Type', 'application/json');
    return response.end(JSON.stringify({ user, session: request.headers.cookie, apps: [SALES] }));
  });
  return {
    url: server.url,
    stop: server.stop,
    fail: (whether) => {
      failing = whether;
    },
    logIn: (user) => CLIENTS.map((client) => {
      sessions.set(`${user}-${client}`, user);
      return `${user}-${client}`;
    }),
    logOut: (user) => CLIENTS.forEach((client) => sessions.delete(`${user}-${client}`)),
  };
}

const SHOUT = 'x'.repeat(100_000);

function enigmaSession(url, settings) {
  const session = sessionOf(LIBRARY, url, {}, settings);
  const events = [];
  for (const type of ['closed', 'suspended', 'resumed']) {
    session.on(type, (event) => events.push({ type, code: event?.code, at: Date.now() }));
  }
  let global;
  return {
    session,
    events,
    heard: (type) => until(`the event ${type}`, () => events.find((event) => event.type === type)),
    opened: async () => {
      global = await session.open();
      return global.openDoc(SALES);
    },
    isAlive: () => within('an answer', global.engineVersion()).then(() => true, () => false),
    shout: () => global.openDoc(SHOUT).catch(() => {}),
  };
}

function apiSession(host, appId) {
  const session = openAppSession({ appId, hostConfig: { host, authType: 'apikey', apiKey: 'of no use' } });
  const events = [];
  session.onWebSocketEvent(({ eventType, ...event }) => events.push({ type: eventType, code: event.code, at: Date.now() }));
  let doc;
  return {
    session,
    events,
    heard: (type) => until(`the event ${type}`, () => events.find((event) => event.type === type)),
    opened: async () => {
      doc = await session.getDoc();
      return doc;
    },
    shout: () => doc.getField(SHOUT).catch(() => {}),
  };
}

/** What becomes of a suspended session that is told to resume: it works, or it is closed with a code. */
async function tellsToResume({ session, events, isAlive }) {
  const before = events.length;
  const failure = await within('an end of resuming', session.resume().then(() => undefined, (error) => error));
  // Who is accepted only to be told the code has resumed, for the library, until the Close comes.
  await new Promise((resolve) => setTimeout(resolve, SECOND));
  const again = events.slice(before).find(({ type }) => type === 'suspended');
  if (failure || again) return `is refused with ${again?.code ?? failure.original?.code}`;
  return (await isAlive()) ? 'resumes when told to' : 'is dead';
}
