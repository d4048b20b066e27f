// Every view before axe-core, in light and dark, at a desk and on a phone: the rules of WCAG 2.2 AA, and what axe holds to be
// good practice.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check, enter, passwordOf, row, say, scenario, sees, stage, tool, visit } from './lib.mjs';

const require = createRequire(process.env.CHATD_CLIENTS ?? `${process.cwd()}/target/clients/`);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
/** On a phone the list is the whole screen, and it is a `nav`. */
const NO_MAIN = /the list on a phone/;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const found = [];
const looked = new Set();

async function look(page, view) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  // What appears may take a moment to have its colours.
  await page.evaluate(() => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {}))));
  const rules = { 'landmark-one-main': { enabled: !NO_MAIN.test(view) } };
  const { violations, passes } = await page.evaluate((how) => axe.run(document, how), { runOnly: { type: 'tag', values: RULES }, rules });
  check(passes.length > 5, `axe has looked at ${view}`);
  looked.add(view);
  for (const { id, help, nodes } of violations) {
    for (const node of nodes) found.push(`${view}: ${id}: ${help}: ${node.html.slice(0, 160)} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`);
  }
}

/** Opens a dialog, looks, and closes it. */
async function dialog(page, view, open, ready = 'dialog[open]') {
  await open();
  await page.locator(ready).first().waitFor();
  await look(page, view);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('dialog[open]'));
}

async function walk(scheme) {
  const in_ = (view) => `${view}, ${scheme}`;
  const options = { colorScheme: scheme };

  const stranger = await visit(options);
  await look(stranger, in_('the door'));
  await stranger.fill('[name=username]', 'alice');
  await stranger.fill('[name=password]', 'wrong');
  await stranger.keyboard.press('Enter');
  await stranger.locator('.error:not(:empty)').waitFor();
  await look(stranger, in_('the door, refused'));
  await stranger.click('button.link');
  await stranger.waitForSelector('[name=again]');
  await look(stranger, in_('a new account'));
  await stranger.context().close();

  const alice = await enter('alice', options);
  const bob = await enter('bob', options);
  await say(bob, `alice: \`code\`, https://example.org, *${scheme}*\n\`\`\`\nlet x = 1;\n\`\`\``);
  await sees(alice, scheme);
  await say(bob, '/me waves');
  await sees(alice, 'waves');
  await tool(alice, 'let x', 'React');
  await look(alice, in_('emoji'));
  await alice.click('.emoji-grid button:first-child');
  await row(alice, 'let x').locator('.reaction').waitFor();
  await tool(alice, 'let x', 'Answer');
  await look(alice, in_('answering'));
  await say(alice, `an answer, ${scheme}`);
  await say(bob, `gone, ${scheme}`);
  await tool(bob, `gone, ${scheme}`, 'Take back');
  await look(bob, in_('asked twice'));
  await bob.keyboard.press('Enter');
  await sees(alice, 'taken back');
  await say(bob, '/msg alice psst');
  await alice.locator('.count.loud').first().waitFor();
  await alice.locator('[role=log]').hover();
  await look(alice, in_('a room'));
  await alice.fill('.write textarea', '@bo');
  await alice.waitForSelector('[role=option]');
  await look(alice, in_('names'));
  await alice.fill('.write textarea', '/nothing');
  await alice.keyboard.press('Enter');
  await alice.locator('.composer > .error:not(:empty)').waitFor();
  await look(alice, in_('a fault'));
  await alice.fill('.write textarea', '');

  await alice.click('.room:has-text("bob")');
  await sees(alice, 'psst');
  await look(alice, in_('a conversation of two'));
  await alice.click('[aria-label="Search"]');
  await alice.fill('[role=search] input', scheme);
  await alice.selectOption('[role=search] select', '');
  await alice.keyboard.press('Enter');
  await alice.waitForSelector('.hit');
  await look(alice, in_('search'));

  await say(alice, `/join #own-${scheme}`);
  await alice.locator('.room[aria-current]', { hasText: `own-${scheme}` }).waitFor();
  await look(alice, in_('an empty room'));
  const click = (label) => () => alice.click(`[aria-label="${label}"]`);
  await dialog(alice, in_('settings of a room'), click('Settings of this room'), 'dialog .bans li');
  await dialog(alice, in_('a new room'), click('Enter or create a room'), 'dialog .room-offer');
  await dialog(alice, in_('a new conversation'), click('Write to somebody'));
  await dialog(alice, in_('settings'), () => alice.click('.me'), 'dialog .devices bdi');
  await dialog(alice, in_('help'), click('Help'));
  await alice.click('.room:has-text("lobby")');
  await alice.click('.room-header [aria-label="Members"]');
  await look(alice, in_('members'));
  await dialog(alice, in_('a card'), () => alice.click('.member:has-text("bob")'), 'dialog dd');

  const root = await enter('root', options);
  await root.click('[aria-label="Administration"]');
  await look(root, in_('the password again'));
  await root.fill('dialog input[type=password]', passwordOf('root'));
  await root.keyboard.press('Enter');
  await root.locator('.admin tr', { hasText: 'alice' }).waitFor();
  await root.locator('.admin input').first().fill(`new-${scheme}`);
  await root.getByRole('button', { name: 'Add' }).click();
  await root.locator('.secret').waitFor();
  for (const tab of ['Accounts', 'Rooms', 'Connected', 'Server', 'Acts']) {
    if (tab !== 'Accounts') await root.getByRole('tab', { name: tab }).click();
    await root.locator('.admin tbody tr').first().waitFor();
    await look(root, in_(`administration, ${tab}`));
  }
  await root.context().close();

  const phone = await enter('bob', { ...options, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, locale: 'zh-CN' });
  await look(phone, in_('the list on a phone'));
  await phone.tap('.room:has-text("lobby")');
  await sees(phone, 'an answer');
  await look(phone, in_('a room on a phone'));
  await phone.tap('.room-header [aria-label="成员"]');
  await phone.waitForSelector('.member');
  await look(phone, in_('members on a phone'));
  await phone.context().close();
  return alice;
}

await scenario(async () => {
  await walk('light');
  const alice = await walk('dark');
  await stage('kill');
  await alice.locator('.banner:not([hidden])').waitFor();
  await say(alice, 'on its way');
  await alice.locator('.row.sending').waitFor();
  await look(alice, 'without a connection, dark');
  console.log(`looked at ${looked.size} views`);
  check(!found.length, `\n${[...new Set(found)].join('\n')}`);
});
