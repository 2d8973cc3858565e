// Chromium, and an ear on every byte that it is given: answers, websocket frames, console, cookies, storage.
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Starts the browser of this machine, with further arguments if any are given. */
export function startBrowser(...further) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...ARGUMENTS, ...further] });
}

/** A page in a context of its own, and what it heard. */
export async function openPage(browser, settings = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...settings });
  const page = await context.newPage();
  const ear = await listen(page);
  return { context, page, ear };
}

async function listen(page) {
  const heard = [];
  const errors = [];
  const bodies = [];
  const hear = (kind) => (what) => heard.push({ kind, text: typeof what === 'string' ? what : JSON.stringify(what) });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable', { maxTotalBufferSize: 200_000_000, maxResourceBufferSize: 50_000_000 });
  for (const event of ['responseReceived', 'responseReceivedExtraInfo', 'requestWillBeSent', 'requestWillBeSentExtraInfo']) {
    cdp.on(`Network.${event}`, hear(event));
  }
  for (const event of ['Created', 'WillSendHandshakeRequest', 'HandshakeResponseReceived', 'FrameSent', 'FrameReceived', 'FrameError', 'Closed']) {
    cdp.on(`Network.webSocket${event}`, hear(`webSocket${event}`));
  }
  cdp.on('Network.loadingFinished', ({ requestId }) => bodies.push(readBody(cdp, requestId).then(hear('body'))));
  page.on('console', (message) => hear('console')(message.text()));
  page.on('pageerror', (error) => {
    errors.push(error);
    hear('console')(`${error.message}\n${error.stack}`);
  });
  return {
    errors,
    /** All that was heard so far, with what the browser keeps. */
    everything: async () => {
      await Promise.all(bodies);
      return [...heard, ...(await keepsakes(page))];
    },
    of: (kind) => heard.filter((one) => one.kind === kind).map(({ text }) => text),
  };
}

async function readBody(cdp, requestId) {
  const { body, base64Encoded } = await cdp.send('Network.getResponseBody', { requestId }).catch(() => ({ body: '' }));
  return base64Encoded ? Buffer.from(body, 'base64').toString('latin1') : body;
}

async function keepsakes(page) {
  const stored = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookie: document.cookie,
    databases: await indexedDB.databases(),
    page: document.documentElement.outerHTML,
  }));
  return [
    { kind: 'stored', text: JSON.stringify(stored) },
    { kind: 'cookies', text: JSON.stringify(await page.context().cookies()) },
  ];
}
