// A browser logs in and out at the real oidc-provider; its back-channel logout ends the sockets behind the proxy.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { SALES } from './support/apps.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { startIdentityProvider } from './support/identity-provider.mjs';
import { COOKIE, startOidcApp } from './support/oidc-app.mjs';
import { until } from './support/waiting.mjs';
import { route, startWorld } from './support/world.mjs';

const require = createRequire(import.meta.url);
const LIBRARY = require.resolve('enigma.js/enigma.min.js');
const SCHEMA = require('enigma.js/schemas/12.2027.0.json');
const SOON = 2_000;

// The provider names the session in its logouts, or the person alone.
for (const named of ['session', 'person']) {
  describe(`a logout at oidc-provider that names the ${named}`, () => {
    let house;
    let browser;
    before(async () => {
      house = await build({ backchannel_logout_session_required: named === 'session' });
      browser = await startBrowser();
    });
    after(async () => {
      await browser?.close();
      await house?.stop();
    });

    const enter = async (person) => {
      const { context, page, ear } = await openPage(browser);
      await logIn(page, person);
      return { context, page, ear };
    };

    const logIn = async (page, person) => {
      await page.goto(`${house.app.url}/log-in`);
      await page.click(`button[value="${person}"]`);
      await page.waitForURL(`${house.app.url}/`);
      assert.equal(await page.textContent('#who'), person);
      await page.addScriptTag({ path: LIBRARY });
    };

    /** Logs out in another tab, at the provider, and gives the time at which the button was pressed. */
    const logOut = async (context) => {
      const tab = await context.newPage();
      await tab.goto(`${house.app.url}/log-out`);
      assert.ok(tab.url().startsWith(house.provider.url), 'it is asked at the provider');
      const begun = Date.now();
      await tab.click('button[value="yes"]');
      await tab.waitForURL(`${house.app.url}/`);
      await tab.close();
      return begun;
    };

    const open = (page) => openSocket(page, `${house.world.proxy.replace('http', 'ws')}/qlik/app/${SALES}`);

    test('ends the sockets with 4006, and those of nobody else', async () => {
      const [ada, elsewhere, bob] = [await enter('ada'), await enter('ada'), await enter('bob')];
      const everybody = [ada, elsewhere, bob];
      for (const { page } of everybody) assert.equal(await open(page), 'open');
      for (const { page } of everybody) assert.ok(await title(page));
      assert.equal('sid' in (await claims(ada.context)), named === 'session');

      const begun = await logOut(ada.context);
      const closed = await until('the Close', () => heardOf(ada.page));
      assert.equal(closed.code, 4006);
      assert.ok(closed.at - begun < SOON, `${closed.at - begun} ms after the button`);
      const [announced] = house.provider.heard;
      assert.deepEqual({ ...announced, session: undefined }, { ok: true, clientId: 'the-app', subject: 'ada', session: undefined });
      assert.equal(house.provider.heard.length, 1);

      assert.equal(await open(ada.page), 4006, 'the cookie is good no more');
      if (named === 'session') {
        assert.ok(await title(elsewhere.page), 'her other session goes on');
      } else {
        assert.equal((await until('the Close', () => heardOf(elsewhere.page))).code, 4006);
        assert.equal(await open(elsewhere.page), 4006);
      }
      assert.ok(await title(bob.page));
      assert.equal(await heardOf(bob.page), undefined);

      // By person, what began in the second of the logout is taken for a session that it meant.
      await until('the next second', () => Date.now() - begun > 1_100);
      await logIn(ada.page, 'ada');
      assert.equal(await open(ada.page), 'open', 'a new login is a new session');
      assert.ok(await title(ada.page));
      for (const { context, ear } of everybody) {
        assert.deepEqual(ear.errors, []);
        await context.close();
      }
    });

    test('is told no more than once, and logged without its token', async () => {
      const log = await house.world.proxyLog();
      const lines = log.split('\n').filter((line) => line.includes('logged out by the issuer'));
      assert.equal(lines.length, 1);
      assert.ok(!log.includes('eyJ'), 'no token in the log');
      assert.deepEqual(await house.world.sim.unknown(), []);
    });
  });
}

/** Provider, app, stand-in and proxy, each told of the others. */
async function build(client) {
  const provider = await startIdentityProvider({ apps: [SALES] });
  const app = await startOidcApp({ issuer: provider.url });
  const session = `kind = "jwt"
cookie = "${COOKIE}"
jwks = "${provider.url}/jwks"
issuer = "${provider.url}"
audience = "the-app"
logout_audience = "the-app"`;
  const world = await startWorld({ routes: (engine) => route('/qlik', { engine, origins: [app.url], session }) });
  provider.register({ ...app.client, ...client, backchannel_logout_uri: `${world.proxy}/qlik/backchannel-logout` });
  const stop = async () => {
    await world.stop();
    await app.stop();
    await provider.stop();
  };
  return { provider, app, world, stop };
}

/** Opens an enigma.js session in the page: `open` once the app is there, or the code it was closed with. */
function openSocket(page, url) {
  return page.evaluate(async ([address, schema, app]) => {
    const session = window.enigma.create({ schema, url: address });
    window.heard = undefined;
    const closed = new Promise((resolve) => {
      session.on('closed', ({ code }) => {
        window.heard = { code, at: Date.now() };
        resolve(code);
      });
    });
    const opened = session.open().then(async (global) => {
      // Where no session id is known, a person's browsers share an engine session, in which the app is open already.
      window.doc = await global.openDoc(app).catch((error) => (error.code === 1002 ? global.getActiveDoc() : Promise.reject(error)));
      return 'open';
    });
    // A socket that is closed tells its code by the event; any other failure is one of the test.
    const failed = ({ code, message }) => (code === undefined || code === -1 ? closed : `${code} ${message}`);
    return Promise.race([opened.catch(failed), closed]);
  }, [url, SCHEMA, SALES]);
}

/** The Close that the page's session heard of. */
function heardOf(page) {
  return page.evaluate(() => window.heard);
}

async function title(page) {
  return page.evaluate(async () => (await window.doc.getAppLayout()).qTitle);
}

async function claims(context) {
  const { value } = (await context.cookies()).find(({ name }) => name === COOKIE);
  return JSON.parse(Buffer.from(value.split('.')[1], 'base64url'));
}
