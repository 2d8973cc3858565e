// Takes the picture of the demo that the README shows: node screenshot.mjs ../../docs/demo.png
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { readBars } from './support/bars.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { startDemo } from './support/demo.mjs';
import { until } from './support/waiting.mjs';

const target = resolve(process.argv[2] ?? 'demo.png');
const demo = await startDemo({ port: '8080' });
const browser = await startBrowser();
const { page } = await openPage(browser, { deviceScaleFactor: 2 });
await page.goto(`${demo.url}/login`);
await page.click('button[value="ada"]');
const regions = (count) => until(`${count} regions`, async () => {
  const bars = await readBars(page, 'Revenue by region, millions');
  return bars.length === count && bars;
});
const bars = await regions(5);
for (const at of [0, 2, 3]) {
  await page.mouse.click(bars[at].x, bars[at].y);
}
await page.click('button[title="Confirm selection"]');
await regions(3);
await page.waitForSelector('#engine dt.secret');
await page.mouse.move(640, 790);
let before;
await until('stillness', async () => {
  const now = (await page.screenshot()).toString('base64');
  const still = now === before;
  before = now;
  return still;
});
await mkdir(dirname(target), { recursive: true });
await page.screenshot({ path: target });
await browser.close();
await demo.stop();
