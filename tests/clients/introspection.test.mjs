// Opaque access tokens of the real oidc-provider: it is asked about them, and a socket lives as long as its token, or one that
// was issued anew for the same session.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { SALES, salesByRegion } from './support/apps.mjs';
import { cookie, sessionOf, versions } from './support/enigma.mjs';
import { startIdentityProvider } from './support/identity-provider.mjs';
import { newTokenApp } from './support/token-app.mjs';
import { nextEvent, until } from './support/waiting.mjs';
import { ORIGIN, route, startWorld } from './support/world.mjs';

const [library] = versions;
const RECHECK = 300;
const SECOND = 1_000;
const HOUR = 3_600;

describe('opaque tokens of oidc-provider', () => {
  let house;
  const tokens = [];
  before(async () => {
    house = await build();
  });
  after(() => house?.stop());

  const lasting = (seconds) => {
    house.provider.tokens.last = seconds;
  };

  /** Somebody logs in, and gets a token that lasts so many seconds. */
  const logIn = async (person, seconds = HOUR) => {
    lasting(seconds);
    const token = await house.app.logIn(person);
    tokens.push(token.access, token.refresh);
    return token;
  };

  /** The token is issued anew for the same session. */
  const refresh = async (token, seconds = HOUR) => {
    lasting(seconds);
    const fresh = await house.app.refresh(token);
    tokens.push(fresh.access, fresh.refresh);
    return fresh;
  };

  const knock = ({ access }) => sessionOf(library, `${house.world.proxy}/qlik/app/${SALES}`, cookie(access, ORIGIN));

  const open = async (token) => {
    const session = knock(token);
    const heard = [];
    session.on('closed', ({ code }) => heard.push({ code, at: Date.now() }));
    const app = await (await session.open()).openDoc(SALES);
    return { session, app, heard, end: () => until('the Close', () => heard[0]) };
  };

  const refusal = async (token) => {
    const session = knock(token);
    const closed = nextEvent(session, 'closed');
    session.open().catch(() => {});
    return (await closed).code;
  };

  const show = async ({ access }, method = 'POST') => {
    const response = await fetch(`${house.world.proxy}/qlik/session`, { method, headers: cookie(access, ORIGIN) });
    return { status: response.status, ...(await response.json()) };
  };

  test('who holds one opens Qlik, and nobody else does', async () => {
    const ada = await logIn('ada');
    const { session, app } = await open(ada);
    assert.equal((await salesByRegion(app)).size, 5);
    const { status, subject, expires_at: expiry } = await show(ada, 'GET');
    assert.deepEqual([status, subject], [200, 'ada']);
    assert.ok(Math.abs(expiry - (Date.now() / SECOND + HOUR)) < 10, `${expiry}`);
    await session.close();
    const forged = { access: 'A'.repeat(ada.access.length) };
    assert.equal(await refusal(forged), 4006);
  });

  test('one that is revoked ends its socket within the recheck, and nobody else’s', async () => {
    const [ada, bob] = [await logIn('ada'), await logIn('bob')];
    const [hers, his] = [await open(ada), await open(bob)];
    const begun = Date.now();
    await house.app.revoke(ada);
    const { code, at } = await hers.end();
    assert.equal(code, 4006);
    assert.ok(at - begun < RECHECK + SECOND, `${at - begun} ms`);
    assert.equal(await refusal(ada), 4006);
    assert.equal((await salesByRegion(his.app)).size, 5);
    await his.session.close();
  });

  test('one that expires ends its socket within a second', async () => {
    const ada = await logIn('ada', 4);
    const { expires_at: expiry } = await show(ada, 'GET');
    const { code, at } = await (await open(ada)).end();
    assert.equal(code, 4006);
    const late = at - expiry * SECOND;
    assert.ok(late > -SECOND && late < SECOND, `${late} ms`);
  });

  test('one that is issued anew and shown carries the socket on, and is what counts from then on', async () => {
    const first = await logIn('ada', 4);
    const elsewhere = await logIn('ada', 4);
    const { expires_at: expiry } = await show(first, 'GET');
    const { heard, app, end } = await open(first);
    const other = await open(elsewhere);
    const second = await refresh(first);
    assert.equal((await show(second)).renewed, 1);
    assert.equal((await show(second)).renewed, 0, 'once is enough');
    assert.equal((await other.end()).code, 4006, 'another login of hers is another session');
    await until('the end of the first token', () => Date.now() > (expiry + 1) * SECOND);
    assert.deepEqual(heard, [], 'the provider says by now that the first token is not active');
    assert.equal((await salesByRegion(app)).size, 5);
    assert.equal(await refusal(first), 4006);

    const third = await refresh(second);
    assert.equal((await show(third)).renewed, 1);
    await house.app.revoke(third);
    assert.equal((await end()).code, 4006);
    assert.equal((await show(third)).status, 401);
  });

  test('nothing of a token is logged', async () => {
    const log = await house.world.proxyLog();
    assert.match(log, /"subject":"ada"/);
    for (const token of tokens) assert.ok(!log.includes(token));
    assert.deepEqual(await house.world.sim.unknown(), []);
  });
});

/** Provider, app, stand-in and proxy, each told of the others. */
async function build() {
  const provider = await startIdentityProvider({ apps: [SALES] });
  const app = newTokenApp({ issuer: provider.url });
  const session = `kind = "introspection"
url = "${provider.url}/token/introspection"
cookie = "app_session"
client_id = "${app.client.client_id}"
client_secret = { file = "client-secret" }
issuer = "${provider.url}"
recheck = "${RECHECK}ms"`;
  const prepare = async ({ folder }) => {
    await writeFile(join(folder, 'client-secret'), app.client.client_secret, { mode: 0o600 });
    return {};
  };
  const world = await startWorld({ routes: (engine) => route('/qlik', { engine, origins: [ORIGIN], session }), prepare });
  // Only for a client that asks for it does the provider name the session in its tokens.
  const named = { backchannel_logout_session_required: true, backchannel_logout_uri: `${world.proxy}/qlik/backchannel-logout` };
  provider.register({ ...app.client, ...named });
  const stop = async () => {
    await world.stop();
    await provider.stop();
  };
  return { provider, app, world, stop };
}
