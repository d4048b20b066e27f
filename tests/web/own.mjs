// What is one's own: the display name, being away; notifications, asked for by a click alone.

import { enter, same, say, scenario, sees, until } from './lib.mjs';

/** What the browser would show, and when it was asked whether it may. */
function stubbed() {
  globalThis.told = [];
  globalThis.asked = 0;
  globalThis.Notification = class {
    static permission = 'default';
    static async requestPermission() {
      globalThis.asked += 1;
      return (this.permission = 'granted');
    }
    constructor(title, options) {
      globalThis.told.push({ title, ...options });
      globalThis.last = this;
    }
    close() {}
  };
}

await scenario(async () => {
  const bob = await enter('bob');
  const alice = await enter('alice');
  const field = (label) => alice.locator('dialog .field', { hasText: label });

  // The display name stands beside the name, wherever somebody is shown; so does being away.
  await alice.click('.me');
  await field('Display name').locator('input').fill('Alice Liddell');
  await field('Display name').locator('button').click();
  await field('Away, because').locator('input').fill('at tea');
  await field('Away, because').locator('button').click();
  await alice.locator('.me', { hasText: 'Alice Liddell · away' }).waitFor();
  await alice.keyboard.press('Escape');
  await say(alice, 'who am I?');
  await (await sees(bob, 'who am I?')).locator('.alias', { hasText: 'Alice Liddell' }).waitFor();
  await bob.locator('.member.away', { hasText: 'Alice Liddell' }).waitFor();
  await say(bob, '/msg alice psst');
  await bob.locator('.topic', { hasText: 'Alice Liddell · away: at tea' }).waitFor();
  await bob.click('.room:has-text("lobby")');
  await alice.click('.room:has-text("bob")');
  await sees(alice, 'psst');
  await until(alice, () => !document.title.startsWith('('));
  await alice.click('.room:has-text("lobby")');

  // Nobody is asked for permission who did not click.
  await alice.addInitScript(stubbed);
  await alice.reload();
  await alice.waitForSelector('.room[aria-current]');
  await sees(alice, 'who am I?');
  const away = (hidden) => alice.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.hasFocus = () => !value;
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await away(true);
  await say(bob, 'alice: are you there?');
  await until(alice, () => document.title.startsWith('('));
  same(await alice.evaluate(() => [asked, told.length]), [0, 0], 'it is quiet');
  await away(false);
  await alice.click('.me');
  await alice.click('.tick:has-text("Tell me of direct messages")');
  await until(alice, () => asked === 1);
  await alice.keyboard.press('Escape');
  await until(alice, () => !document.title.startsWith('('));
  await away(true);
  await say(bob, 'nothing for anybody');
  await say(bob, 'alice: now?');
  await until(alice, () => told.length === 1 && document.title.startsWith('(1)'));
  same(await alice.evaluate(() => [told[0].title, told[0].body]), ['bob · #lobby', 'alice: now?'], 'of the mention alone');
  await say(bob, '/msg alice privately');
  await until(alice, () => told.length === 2 && document.title.startsWith('(2)'));
  await away(false);
  await alice.evaluate(() => last.onclick());
  await alice.locator('.room[aria-current]', { hasText: 'bob' }).waitFor();
});
