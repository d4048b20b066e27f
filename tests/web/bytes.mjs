// What a browser receives until the page can be used, all bytes of its connections counted: TLS, headers and the lines of
// the WebSocket among them.

import { check, passwordOf, same, scenario, visit } from './lib.mjs';
import { slowLine } from './line.mjs';

await scenario(async () => {
  for (const [account, locale] of [['alice', 'en-US'], ['bob', 'zh-CN']]) {
    const line = await slowLine(new URL(process.env.CHATD_URL));
    const page = await visit({ locale }, 'about:blank');
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url())));
    let before = 0;
    const received = () => {
      const bytes = line.counted.down - before;
      before = line.counted.down;
      return bytes;
    };
    await page.goto(line.url, { waitUntil: 'networkidle' });
    await page.waitForSelector('[name=username]');
    const first = received();
    check(first > 10_000, `the bytes are counted: ${first}`);
    check(first < 100_000, `the first look: ${first} bytes`);
    same(asked.filter((url) => url.host !== new URL(line.url).host).map(String), [], 'nothing from elsewhere');
    check(asked.length <= 8, `few round trips: ${asked.map((url) => url.pathname)}`);

    await page.fill('[name=username]', account);
    await page.fill('[name=password]', passwordOf(account));
    await page.keyboard.press('Enter');
    await page.waitForSelector('.room[aria-current]');
    await page.waitForSelector('.row');
    await page.waitForFunction(() => localStorage.getItem('chatd.session'));
    const login = received();

    // Next time the page is asked for, and what has not changed is not sent again.
    asked.length = 0;
    await page.reload();
    await page.waitForSelector('.row');
    const again = received();
    check(again < 50_000, `the next visit: ${again} bytes`);
    const scripts = await page.evaluate(() => performance.getEntriesByType('resource').filter((entry) => /[?]v=/.test(entry.name)).map((entry) => entry.transferSize));
    same(scripts, [0, 0], 'style and script are not asked for again');
    console.log(`${locale}: ${first} bytes to the door, ${login} to log in, ${again} the next time`);
    await page.context().close();
    line.close();
  }
});
