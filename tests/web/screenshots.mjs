// Pictures of the page's main states, to be looked at: `CHATD_URL=https://localhost:6697/ CHATD_SHOTS=/tmp/shots node
// tests/web/screenshots.mjs` against a server with the accounts of the tests (alice, bob, carol, root; the-word-of-NAME).
// `talk.png` stands in the README as docs/page.png.

import { enter, passwordOf, row, say, scenario, sees, tool, until, visit } from './lib.mjs';

const shot = (page, name) => page.screenshot({ path: `${process.env.CHATD_SHOTS}/${name}.png` });
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, locale: 'zh-CN' };

await scenario(async () => {
  const stranger = await visit();
  await shot(stranger, 'login');
  await stranger.click('button.link');
  await stranger.waitForTimeout(1_000);
  await shot(stranger, 'newcomer');
  const alice = await enter('alice');
  const bob = await enter('bob', { colorScheme: 'dark' });
  const carol = await enter('carol');
  await say(bob, 'Morning! The kettle in the kitchen is on.');
  await sees(alice, 'kettle');
  await say(carol, '早上好！今天喝乌龙还是龙井？');
  await sees(alice, '乌龙');
  await say(alice, 'Oolong for me, 谢谢 carol. Release notes are at https://example.org/notes/42');
  await sees(bob, 'Release notes');
  await say(bob, 'Thanks alice, reading them now. To find what we said about tea:\n```\nchatd history "#lobby" --search tea\n```');
  await sees(alice, 'reading them now');
  await tool(carol, 'reading them now', 'React');
  await carol.click('.emoji-grid button:first-child');
  await tool(alice, 'reading them now', 'Answer');
  await say(alice, 'Works, and the search in the page finds it too.');
  await sees(carol, 'Works, and');
  for (const text of ['/join #release', '/join #garden', '/msg alice Lunch at noon?']) await say(bob, text);
  await say(alice, '/join #release');
  await alice.locator('.room[aria-current]', { hasText: 'release' }).waitFor();
  await alice.click('.room:has-text("lobby")');
  await row(alice, 'Works, and').waitFor();
  await carol.fill('.write textarea', 'On my way');
  await alice.locator('.typing', { hasText: 'carol' }).waitFor();
  await alice.mouse.move(640, 200);
  // Whoever looks at it has read it.
  await alice.bringToFront();
  await until(alice, () => document.querySelectorAll('.room[aria-current] .count').length === 0);
  await shot(alice, 'talk');
  await bob.click('.room:has-text("lobby")');
  await shot(bob, 'talk-dark');
  await alice.keyboard.press('Control+Shift+F');
  await alice.keyboard.type('tea');
  await alice.keyboard.press('Enter');
  await alice.waitForSelector('.hit');
  await shot(alice, 'search');
  for (const [name, open] of [['room', '[aria-label="Settings of this room"]'], ['settings', '.me'], ['help', '[aria-label="Help"]'], ['add-room', '[aria-label="Enter or create a room"]'], ['profile', '.row .who button']]) {
    await alice.click(open);
    await alice.waitForTimeout(300);
    await shot(alice, name);
    await alice.keyboard.press('Escape');
  }
  const small = await enter('carol', phone);
  await shot(small, 'phone-list');
  await small.tap('.room:has-text("lobby")');
  await sees(small, 'Works, and');
  await shot(small, 'phone-talk');
  await small.tap('.room-header [aria-label="成员"]');
  await small.waitForTimeout(300);
  await shot(small, 'phone-members');
  await small.tap('.side-pane [aria-label="关闭"]');
  await small.tap('.room-header [aria-label="聊天室设置"]');
  await small.waitForTimeout(300);
  await shot(small, 'phone-room');
  const root = await enter('root');
  await root.click('[aria-label="Administration"]');
  await root.fill('dialog input[type=password]', passwordOf('root'));
  await root.keyboard.press('Enter');
  for (const tab of ['Accounts', 'Rooms', 'Connected', 'Server', 'Acts']) {
    await root.getByRole('tab', { name: tab }).click();
    await root.locator('.admin tbody tr').first().waitFor();
    await shot(root, `admin-${tab.toLowerCase()}`);
  }
});
