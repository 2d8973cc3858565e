// enigma.js straight at the stand-in for Qlik on Windows, no proxy between: it holds the rules that the proxy is tested by.
import assert from 'node:assert/strict';
import { get } from 'node:https';
import { after, before, describe, test } from 'node:test';

import enigma from 'enigma.js';
import WebSocket from 'ws';

import { SALES, salesByRegion, total } from './support/apps.mjs';
import { versions } from './support/enigma.mjs';
import { within } from './support/waiting.mjs';
import { startWindows } from './support/windows.mjs';

const [{ schema }] = versions;
const SESSIONS_A_PERSON = 5;

describe('the stand-in for Qlik on Windows, by the rules of November 2024', () => {
  let world;
  before(async () => {
    world = await startWindows();
  });
  after(() => world?.stop());

  const bearerOf = (id) => ({ Authorization: `Bearer ${world.bearerOf({ userId: id, userDirectory: 'CORP' })}` });

  /** The first phase: a JWT for a cookie and a token against forgery. */
  const enter = async (id) => {
    const { statusCode, headers } = await request(`${world.front}/vp-jwt/qps/csrftoken`, { ca: world.ca, headers: bearerOf(id) });
    assert.equal(statusCode, 204);
    const [cookie] = headers['set-cookie'][0].split(';');
    assert.match(cookie, /^X-Qlik-Session-vp-jwt=/);
    return { cookie, csrf: headers['qlik-csrf-token'] };
  };

  /** An enigma session as somebody who holds `cookie` and `csrf` would open it. */
  const sessionOf = ({ cookie, csrf, headers = {} }) => {
    const query = csrf ? `?qlik-csrf-token=${csrf}` : '';
    const all = { Origin: world.front, ...(cookie && { Cookie: cookie }), ...headers };
    for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
    return enigma.create({
      schema,
      url: `${world.front.replace('https', 'wss')}/vp-jwt/app/${SALES}${query}`,
      createSocket: (url) => new WebSocket(url, { ca: world.ca, headers: all }),
    });
  };

  /** The status of a refused upgrade. */
  const refusedWith = async (settings) => {
    const session = sessionOf(settings);
    const error = await within('a refusal', session.open()).then(() => assert.fail('it was let in'), (refusal) => refusal);
    const text = String(error?.error?.message ?? error?.message ?? error);
    return Number(/(\d{3})\b/.exec(text)?.[1]);
  };

  test('cookie, csrf token and Origin together open an app', async () => {
    const session = sessionOf(await enter('ada'));
    const notices = [];
    session.on('notification:OnAuthenticationInformation', (notice) => notices.push(notice));
    const global = await within('the engine', session.open());
    assert.equal(await global.getAuthenticatedUser(), 'UserDirectory=CORP; UserId=ada');
    assert.ok(total(await salesByRegion(await global.openDoc(SALES))) > 0);
    const [{ mustAuthenticate, userId, userDirectory, logoutUri }] = notices;
    assert.deepEqual([mustAuthenticate, userId, userDirectory], [false, 'ada', 'CORP']);
    assert.match(logoutUri, /qps\/user/);
    await session.close();
  });

  test('nothing is said before the first message', async () => {
    const { cookie, csrf } = await enter('ada');
    const socket = new WebSocket(`${world.front.replace('https', 'wss')}/vp-jwt/app/${SALES}?qlik-csrf-token=${csrf}`, {
      ca: world.ca,
      headers: { Origin: world.front, Cookie: cookie },
    });
    const heard = [];
    socket.on('message', (message) => heard.push(JSON.parse(message)));
    await within('the upgrade', new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)));
    const answered = new Promise((resolve) => socket.on('message', (message) => JSON.parse(message).id === 1 && resolve()));
    assert.deepEqual(heard, []);
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, handle: -1, method: 'EngineVersion', params: [] }));
    await within('the answer', answered);
    assert.deepEqual(heard.map(({ method, id }) => method ?? id), ['OnAuthenticationInformation', 'OnConnected', 1]);
    socket.close();
  });

  const wrong = {
    'no cookie': ({ csrf }) => ({ csrf }),
    "another's cookie": ({ csrf }) => ({ csrf, cookie: 'X-Qlik-Session-vp-jwt=nobody' }),
    'no csrf token': ({ cookie }) => ({ cookie }),
    'the csrf token in a header alone': ({ cookie, csrf }) => ({ cookie, headers: { 'qlik-csrf-token': csrf } }),
    'another csrf token': ({ cookie }) => ({ cookie, csrf: 'nobody' }),
    'no Origin': (all) => ({ ...all, headers: { Origin: undefined } }),
    'an Origin that is not on the Host allow list': (all) => ({ ...all, headers: { Origin: 'https://evil.example' } }),
    'a bearer on the upgrade': (all) => ({ ...all, headers: bearerOf('ada') }),
  };
  for (const [name, change] of Object.entries(wrong)) {
    test(`${name}: 403`, async () => {
      assert.equal(await refusedWith(change(await enter('ada'))), 403);
    });
  }

  test('the first phase takes no bad JWT', async () => {
    const headers = { Authorization: 'Bearer ey.no.body' };
    assert.equal((await request(`${world.front}/vp-jwt/qps/csrftoken`, { ca: world.ca, headers })).statusCode, 401);
  });

  test('the sixth session of a person is one too many', async () => {
    const entered = [];
    for (let number = 0; number <= SESSIONS_A_PERSON; number += 1) entered.push(await enter('many'));
    const good = sessionOf(entered[SESSIONS_A_PERSON - 1]);
    await (await within('the engine', good.open())).engineVersion();
    await good.close();
    const bad = sessionOf(entered[SESSIONS_A_PERSON]);
    const told = new Promise((resolve) => bad.on('notification:OnMaxParallelSessionsExceeded', resolve));
    bad.open().then((global) => global.engineVersion()).catch(() => {});
    await within('the notice', told);
  });
});

function request(url, options) {
  return new Promise((resolve, reject) => {
    get(url, options, (response) => {
      response.resume();
      resolve(response);
    }).on('error', reject);
  });
}
