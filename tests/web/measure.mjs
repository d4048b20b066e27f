// How smooth the page scrolls, and how long one waits on a slow line: numbers for docs/page.md. No test.
// `CHATD_URL=https://localhost:6697/ node tests/web/measure.mjs [scroll|line]...` against a server with the account alice
// (the-word-of-alice) and a long first room (many-lines.mjs).

import { enter, passwordOf, scenario, visit } from './lib.mjs';
import { slowLine } from './line.mjs';

const wanted = process.argv.slice(2);
const wants = (what) => !wanted.length || wanted.includes(what);
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
const ms = (value) => value.toFixed(1);

/** The wheel at even speed. Frames as the page sees them, and what the page itself costs (time of its processor, not of the clock). */
async function scroll() {
  const page = await enter('alice');
  await page.waitForSelector('.row');
  await page.waitForTimeout(1_500);
  const cdp = await page.context().newCDPSession(page);
  const browser = page.context().browser();
  const box = await page.locator('.timeline').boundingBox();
  await page.evaluate(() => {
    window.frames = [];
    window.most = 0;
    let last = performance.now();
    const tick = (now) => {
      frames.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll('.rows > .row').length);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const line = () => page.evaluate(() => Number(/line (\d+)/.exec(document.querySelector('.row .text')?.textContent)?.[1]));
  const gesture = (distance, speed) =>
    cdp.send('Input.synthesizeScrollGesture', { x: box.x + 300, y: box.y + 300, yDistance: distance, speed, gestureSourceType: 'mouse' });

  async function run(name, distance, speed) {
    const from = await line();
    await page.evaluate(() => (frames.length = 0));
    await browser.startTracing(page, { categories: ['toplevel'] });
    await gesture(distance, speed);
    const { times, rows } = await page.evaluate(() => ({ times: [...frames], rows: most }));
    const trace = JSON.parse((await browser.stopTracing()).toString()).traceEvents;
    const main = trace.find((each) => each.name === 'thread_name' && each.args.name === 'CrRendererMain');
    const tasks = trace.filter((each) => each.pid === main.pid && each.tid === main.tid && /RunTask/.test(each.name) && each.tdur).map((each) => each.tdur / 1000);
    const sorted = times.sort((a, b) => a - b);
    const sum = times.reduce((a, b) => a + b, 0);
    console.log(`${name}: ${ms((1000 * times.length) / sum)} frames/s of ${times.length}; 99 % within ${ms(at(sorted, 0.99))} ms, the longest ${ms(at(sorted, 1))} ms, over 20 ms: ${times.filter((each) => each > 20).length}; the longest task ${ms(Math.max(...tasks))} ms of processor time; rows at most ${rows}; lines ${from} to ${await line()}`);
  }
  await run('up, 1,000 px/s', 10_000, 1_000);
  await run('up, 3,000 px/s', 30_000, 3_000);
  await run('up, 8,000 px/s', 120_000, 8_000);
  await run('down, 3,000 px/s', -30_000, 3_000);

  // As far as it goes, by steps of 2,000 pixels a frame.
  await page.evaluate(() => (frames.length = 0));
  const began = Date.now();
  await page.evaluate(async () => {
    const scroller = document.querySelector('.timeline');
    const done = () => [...document.querySelectorAll('.rows .text')].some((text) => text.textContent.startsWith('line 0 '));
    while (!done()) {
      scroller.scrollTop = Math.max(0, scroller.scrollTop - 2_000);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  });
  const { times, rows, heap } = await page.evaluate(() => ({ times: [...frames].sort((a, b) => a - b), rows: most, heap: performance.memory.usedJSHeapSize }));
  console.log(`to line 0: ${Math.round((Date.now() - began) / 1000)} s, ${times.length} frames, 50 % within ${ms(at(times, 0.5))} ms, 99 % within ${ms(at(times, 0.99))} ms; rows at most ${rows}; ${Math.round(heap / 2 ** 20)} MiB of JavaScript`);
  await page.context().close();
}

/** From nothing to the form, from the password to the first room, and a second visit. */
async function line(bits, trip, locale) {
  const slow = await slowLine(new URL(process.env.CHATD_URL), { bits, trip });
  const page = await visit({ locale }, 'about:blank');
  const told = [];
  let before = 0;
  const step = async (name, act, selector) => {
    const began = performance.now();
    await act();
    await page.waitForSelector(selector);
    const time = performance.now() - began;
    const paint = name === 'login' ? '' : `, first paint ${(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN) / 1000).toFixed(1)} s`;
    told.push(`${name} ${(time / 1000).toFixed(1)} s (${Math.round((slow.counted.down - before) / 1000)} KB${paint})`);
    // What comes after.
    await page.waitForTimeout(4_000);
    before = slow.counted.down;
  };
  await step('the door', () => page.goto(slow.url, { waitUntil: 'commit' }), '[name=username]');
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', passwordOf('alice'));
  await step('login', () => page.keyboard.press('Enter'), '.rows > .row');
  await page.waitForFunction(() => localStorage.getItem('chatd.session'));
  await step('next visit', () => page.reload({ waitUntil: 'commit' }), '.rows > .row');
  console.log(`${bits / 1000} kbit/s, ${trip} ms, ${locale}: ${told.join('; ')}`);
  await page.context().close();
  slow.close();
}

await scenario(async () => {
  if (wants('scroll')) await scroll();
  if (wants('line')) {
    await line(400_000, 400, 'en-US');
    await line(400_000, 400, 'zh-CN');
    await line(4_000_000, 100, 'en-US');
  }
});
