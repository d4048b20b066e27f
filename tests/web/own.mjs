// What is one's own: the display name, being away, the devices, the password; notifications, asked for by a click alone; and
// what is copied.

import { check, enter, passwordOf, row, same, say, scenario, sees, until } from './lib.mjs';

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

  // From one message into another with the mouse: lines of name and text, without what stands around them.
  await alice.click('.room:has-text("lobby")');
  await bob.click('.room:has-text("lobby")');
  await say(bob, 'copied `first`');
  await say(bob, 'and <b>second</b>');
  await sees(alice, 'and <b>second</b>');
  const copied = (from, to) => alice.evaluate(([start, end]) => {
    const text = (words) => [...document.querySelectorAll('.row .text')].findLast((each) => each.textContent.includes(words));
    const range = document.createRange();
    range.setStart(text(start), 0);
    range.setEnd(text(end), text(end).childNodes.length);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const data = new DataTransfer();
    const event = new ClipboardEvent('copy', { clipboardData: data, bubbles: true, cancelable: true });
    text(start).dispatchEvent(event);
    return event.defaultPrevented ? data.getData('text/plain') : getSelection().toString();
  }, [from, to]);
  await row(alice, 'copied').hover();
  same(await copied('copied', 'and <b>'), 'bob: copied `first`\nbob: and <b>second</b>', 'several messages');
  same(await copied('and <b>', 'and <b>'), 'and <b>second</b>', 'of one, its words');
  const one = await row(alice, 'alice: now?').boundingBox();
  const two = await row(alice, 'and <b>second').locator('.text').boundingBox();
  await alice.mouse.move(one.x + 4, one.y + one.height / 2);
  await alice.mouse.down();
  await alice.mouse.move(two.x + two.width - 2, two.y + two.height - 4, { steps: 8 });
  await alice.mouse.up();
  const dragged = await alice.evaluate(() => getSelection().toString());
  check(dragged.includes('copied first') && !/\d\d:\d\d/.test(dragged), `dragged: ${dragged}`);

  // The devices: another browser of hers is let in, and sent away.
  const phone = await enter('alice');
  await until(phone, () => localStorage.getItem('chatd.session'));
  const other = await phone.evaluate(() => JSON.parse(localStorage.getItem('chatd.session')).device);
  await phone.reload();
  await phone.waitForSelector('.room[aria-current]');
  await alice.click('.me');
  await alice.locator('.devices li', { hasText: 'this device' }).waitFor();
  await alice.locator('.devices li', { hasText: other }).getByRole('button', { name: 'Take away' }).click();
  await alice.locator('dialog button[type=submit]', { hasText: 'Take away' }).click();
  await phone.waitForSelector('[name=password]');
  await until(alice, (name) => !document.querySelector('.devices').textContent.includes(name) || [...document.querySelectorAll('.devices li')].some((e) => e.textContent.includes(name) && e.textContent.includes('Forget')), other);

  // Another password. This browser stays, and comes back by a reload.
  await alice.click('summary:text-is("Change the password")');
  const change = async (old, fresh, repeat) => {
    await alice.fill('[name=old]', old);
    await alice.fill('[name=new]', fresh);
    await alice.fill('[name=repeat]', repeat);
    await alice.keyboard.press('Enter');
  };
  const error = (text) => alice.locator('dialog [role=alert]', { hasText: text }).waitFor();
  await change(passwordOf('alice'), 'white "rabbit"', 'white rabbit');
  await error('not the same');
  await change('not her word', 'white "rabbit"', 'white "rabbit"');
  await error('Not changed');
  await change(passwordOf('alice'), 'white "rabbit"', 'white "rabbit"');
  await alice.locator('.toast', { hasText: 'Your password is changed' }).waitFor();
  await alice.reload();
  await alice.waitForSelector('.room[aria-current]');

  // So does one that has only just logged in with a password: its token went with the old one, and it gets another.
  await phone.fill('[name=username]', 'alice');
  await phone.fill('[name=password]', 'white "rabbit"');
  await phone.keyboard.press('Enter');
  await phone.waitForSelector('.room[aria-current]');
  await until(phone, () => localStorage.getItem('chatd.session'));
  const before = await phone.evaluate(() => localStorage.getItem('chatd.session'));
  await phone.click('.me');
  await phone.click('summary:text-is("Change the password")');
  await phone.fill('[name=old]', 'white "rabbit"');
  await phone.fill('[name=new]', 'red queen runs');
  await phone.fill('[name=repeat]', 'red queen runs');
  await phone.keyboard.press('Enter');
  await until(phone, (old) => ![null, old].includes(localStorage.getItem('chatd.session')), before);
  await phone.reload();
  await phone.waitForSelector('.room[aria-current]');
});
