// The demo in Chromium: what is drawn is what the engine says, and no secret comes along.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { PEOPLE, SALES, cubeOf, rowsOf } from './support/apps.mjs';
import { readBars } from './support/bars.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { startDemo } from './support/demo.mjs';
import { sessionOf, versions } from './support/enigma.mjs';
import { eventually, until, within } from './support/waiting.mjs';

const REGIONS = 'Revenue by region, millions';
const CATEGORIES = 'Margin by category, millions';
const PIXELS = 2;

describe('the demo in a browser', () => {
  let demo;
  let browser;
  before(async () => {
    demo = await startDemo();
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** What the engine says when somebody else asks it, with no browser and no chart between. */
  const askEngine = async (field, measure, region) => {
    const session = sessionOf(versions[0], `${demo.url}/qlik/app/${SALES}`, await demo.logIn('grace'));
    const app = await (await session.open()).openDoc(SALES);
    if (region) await (await app.getField('Region')).selectValues([{ qText: region }], false, false);
    const object = await app.createSessionObject(cubeOf(field, measure));
    const rows = rowsOf(await object.getLayout());
    await session.close();
    return field ? new Map(rows) : rows[0][0];
  };

  const enter = async (user) => {
    const { context, page, ear } = await openPage(browser);
    await page.goto(`${demo.url}/login`);
    await page.click(`button[value="${user}"]`);
    await page.waitForURL(`${demo.url}/`);
    return { context, page, ear };
  };

  const barsDrawn = (page, heading, count) =>
    until(`${count} bars of ${heading}`, async () => {
      const bars = await readBars(page, heading);
      return bars.length === count && bars;
    });

  /** The bars come to be as tall as the numbers are large, in the numbers' order, under the right names and values. */
  const assertDrawn = (page, heading, numbers) =>
    eventually(async () => {
      const expected = [...numbers].sort(([, a], [, b]) => b - a);
      const [[, largest]] = expected;
      const bars = await readBars(page, heading);
      assert.equal(bars.length, expected.length, `bars of ${heading}`);
      const full = bars[0].height;
      bars.forEach(({ label, value, height }, at) => {
        const [name, number] = expected[at];
        assert.ok(label && name.startsWith(label.replace('…', '').trim()), `${label} stands for ${name}`);
        assert.equal(Number(value).toFixed(1), number.toFixed(1), `the value over ${name}`);
        assert.ok(Math.abs(height - (full * number) / largest) <= PIXELS, `${name}: ${height} of ${full} pixels for ${number} of ${largest}`);
      });
      return bars;
    });

  test('draws what the engine says, and draws it anew when a bar is clicked', async () => {
    const { context, page, ear } = await enter('ada');
    assert.equal(await page.textContent('#who'), 'Ada Lovelace');
    const regions = await askEngine('Region', 'Sum(Sales)/1000000');
    const bars = await assertDrawn(page, REGIONS, regions);
    await assertDrawn(page, CATEGORIES, await askEngine('Category', 'Sum(Margin)/1000000'));

    const [chosen, revenue] = [...regions].sort(([, a], [, b]) => b - a)[1];
    await page.mouse.click(bars[1].x, bars[1].y);
    await assertDrawn(page, CATEGORIES, await askEngine('Category', 'Sum(Margin)/1000000', chosen));
    await page.click('button[title="Confirm selection"]');
    await assertDrawn(page, REGIONS, [[chosen, revenue]]);
    assert.match(await page.textContent('#selections'), new RegExp(chosen));
    assert.deepEqual(ear.errors, []);
    await context.close();
  });

  test('shows the evidence, with the credential masked', async () => {
    const { context, page } = await enter('ada');
    await page.waitForSelector('#engine dt.secret');
    assert.match(await page.textContent('#browser'), /app_session.*no token in it/s);
    assert.match(await page.textContent('#engine'), /\/app\/.*\/identity\/.*AuthorizationBearer •+\d+ characters.*Cookienone/s);
    await context.close();
  });

  test('says that the app session ended, with 4006', async () => {
    const { context, page, ear } = await enter('ada');
    await barsDrawn(page, REGIONS, 5);
    await page.click('#logout');
    await page.waitForFunction(() => document.getElementById('notice').textContent.includes('4006'));
    assert.equal(await page.isVisible('#notice a'), true);
    assert.equal((await fetch(`${demo.url}/session`, { headers: { Cookie: await cookies(context) } })).status, 401);
    assert.equal(ear.of('webSocketClosed').length, 1);
    await context.close();
  });

  test('says why an app of somebody else does not open', async () => {
    const { context, page } = await enter('linus');
    await page.click(`#apps button[data-app="${SALES}"]`);
    await page.waitForFunction(() => document.getElementById('notice').textContent.includes('4203'));
    await page.click(`#apps button[data-app="${PEOPLE}"]`);
    await page.waitForFunction(() => document.querySelectorAll('.kpi .chart').length === 3 && document.getElementById('notice').hidden);
    await context.close();
  });

  test('gives a page of a foreign origin no socket, cookie or not', async () => {
    const { context, page } = await enter('ada');
    const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html>'));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const foreign = await context.newPage();
      await foreign.goto(`http://127.0.0.1:${server.address().port}/`);
      const url = `${demo.url.replace('http', 'ws')}/qlik/app/${SALES}`;
      assert.deepEqual(await within('an opening', attempt(page, url)), ['open'], 'the own page may');
      assert.deepEqual(await within('a refusal', attempt(foreign, url)), ['error', 1006]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await context.close();
    }
  });

  test('lets no secret through to the browser, nor into a log', async () => {
    const { context, page, ear } = await enter('ada');
    const bars = await barsDrawn(page, REGIONS, 5);
    await page.waitForSelector('#engine dt.secret');
    await page.mouse.click(bars[0].x, bars[0].y);
    await page.waitForSelector('button[title="Confirm selection"]');
    await page.click('#logout');
    await page.waitForFunction(() => document.getElementById('notice').textContent.includes('4006'));

    const secrets = await demo.sim.secrets();
    const seen = JSON.stringify(await demo.sim.requests());
    assert.ok(secrets.some((secret) => seen.includes(`Bearer ${secret}`)), 'the engine was shown one of these secrets');
    const heard = await ear.everything();
    for (const kind of ['body', 'responseReceivedExtraInfo', 'webSocketFrameReceived', 'webSocketHandshakeResponseReceived', 'cookies']) {
      assert.ok(heard.some((one) => one.kind === kind && one.text), `${kind} was listened to`);
    }
    assert.ok(heard.some(({ kind, text }) => kind === 'webSocketFrameReceived' && text.includes('qHyperCube')), 'data was listened to');
    const logs = [
      { kind: 'log of the proxy', text: await demo.log('qix-proxy') },
      { kind: 'log of the demo', text: await demo.log('demo') },
    ];
    assert.ok(logs[0].text.length > 0, 'the proxy logged something');
    for (const { kind, text } of [...heard, ...logs]) {
      for (const form of secrets.flatMap(forms)) assert.ok(!text.includes(form), `a secret in ${kind}`);
    }
    await context.close();
  });

  test('asked the engine nothing that it does not know', async () => {
    assert.deepEqual(await demo.sim.unknown(), []);
  });

  test('stops clean', async () => {
    const { url, stop } = demo;
    demo = undefined;
    assert.equal(await stop(), 'ended with 0');
    await assert.rejects(fetch(url));
  });
});

/** What a page's own script hears of a websocket, until it opens or is closed. */
function attempt(page, url) {
  return page.evaluate((address) => new Promise((resolve) => {
    const events = [];
    const socket = new WebSocket(address);
    socket.addEventListener('message', () => events.push('message'));
    socket.addEventListener('error', () => events.push('error'));
    socket.addEventListener('open', () => resolve([...events, 'open']));
    socket.addEventListener('close', ({ code }) => resolve([...events, code]));
  }), url);
}

async function cookies(context) {
  return (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
}

/** A secret as it could stand in a text: plain, in a URL, in base64. */
function forms(secret) {
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
}
