// A room in the hands of its operator: invitations that one is told of and follows by a click, rules, key and limit, lists,
// ranks, another name.

import { check, enter, row, same, say, scenario, sees, until } from './lib.mjs';

await scenario(async () => {
  const alice = await enter('alice');
  const bob = await enter('bob');
  await say(alice, '/join #tea');
  await alice.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  const settings = () => alice.click('[aria-label="Settings of this room"]');
  const field = (label) => alice.locator('dialog .field', { hasText: label });
  const set = async (label, value, word = 'Save') => {
    await field(label).locator('input').fill(value);
    await field(label).getByRole('button', { name: word }).click();
  };
  const event = (text) => alice.locator('.row.event', { hasText: text }).waitFor();

  // Rules: all of them.
  await settings();
  for (const [rule, letter] of [['invitation only', 'i'], ['those with a voice', 'm'], ['Hidden from', 's']]) {
    await alice.click(`.tick:has-text("${rule}")`);
    await event(`+${letter}`);
  }
  for (const [rule, letter] of [['Only members may write', 'n'], ['Only operators change the topic', 't']]) {
    await alice.click(`.tick:has-text("${rule}")`);
    await event(`-${letter}`);
  }
  await set('Key', 'oolong');
  await event('+k');
  await set('Members at most', '5');
  await event('+l 5');
  await set('Members at most', '');
  await event('-l');
  await set('Key', '');
  await event('-k');

  // Who is invited is told, wherever he looks, and comes in by a click; what was said no to is there again next time.
  await set('Invite somebody', 'bob', 'Invite');
  await bob.locator('.invitations li', { hasText: 'alice invites you to #tea' }).waitFor();
  await bob.locator('.toast', { hasText: 'alice invites you to #tea' }).waitFor();
  await until(bob, () => document.title.startsWith('(1)'));
  await bob.locator('.invitations').getByRole('button', { name: 'Not now' }).click();
  await until(bob, () => !document.querySelector('.invitations li'));
  await bob.reload();
  await bob.locator('.invitations li', { hasText: '#tea' }).getByRole('button', { name: 'Enter' }).click();
  await bob.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  await until(bob, () => !document.querySelector('.invitations li'));
  await alice.keyboard.press('Escape');

  // Moderated: without a voice nobody is heard.
  await say(bob, 'am I heard?');
  await row(bob, 'am I heard?').locator('.failure').waitFor();
  await bob.locator('.failure button', { hasText: 'Discard' }).click();
  const member = (name) => alice.locator('.member', { hasText: name }).click();
  const act = (word) => alice.locator('dialog').getByRole('button', { name: word, exact: true }).click();
  await member('bob');
  await act('Give a voice');
  await alice.locator('.member', { hasText: 'bob' }).getByText('voice').waitFor();
  await say(bob, 'now I am');
  await sees(alice, 'now I am');
  await member('bob');
  await act('Make operator');
  await alice.locator('.member', { hasText: 'bob' }).getByText('operator').waitFor();
  await member('bob');
  await act('Operator no more');
  await member('bob');
  await act('Take the voice');
  await event('-v bob');

  // Muted, by the card; the list says so, and takes it back.
  await settings();
  await alice.click('.tick:has-text("those with a voice")');
  await event('-m');
  await alice.keyboard.press('Escape');
  await member('bob');
  await act('Mute');
  await event('+q ~a:bob');
  await say(bob, 'muted');
  await row(bob, 'muted').locator('.failure').waitFor();
  await settings();
  const lists = alice.locator('dialog select');
  for (const [letter, entry, shown] of [['b', 'carol', '~a:carol'], ['e', '*!*@example.org', '*!*@example.org'], ['I', 'dave', '~a:dave']]) {
    await lists.selectOption(letter);
    await field('Put on this list').locator('input').fill(entry);
    await field('Put on this list').getByRole('button').click();
    await alice.locator('.bans li', { hasText: shown }).waitFor();
    await alice.locator('.bans li', { hasText: shown }).getByRole('button').click();
    await alice.locator('.bans li', { hasText: 'Nobody' }).waitFor();
  }
  await lists.selectOption('q');
  await alice.locator('.bans li', { hasText: '~a:bob' }).getByRole('button').click();
  await event('-q ~a:bob');
  await set('Name of the room', '#black-tea', 'Rename');
  await bob.locator('.room[aria-current]', { hasText: 'black-tea' }).waitFor();
  await alice.keyboard.press('Escape');
  await row(bob, 'muted').getByRole('button', { name: 'Send again' }).click();
  await sees(alice, 'muted');

  // Banned and removed; the settings of others are for reading.
  await bob.click('[aria-label="Settings of this room"]');
  check(await bob.locator('.tick input').first().isDisabled(), 'only operators set rules');
  same(await bob.locator('dialog .field', { hasText: 'Put on this list' }).count(), 0, 'nor lists');
  await bob.keyboard.press('Escape');
  await member('bob');
  await act('Ban');
  await alice.locator('dialog button[type=submit]', { hasText: 'Ban' }).click();
  await event('alice removed bob');
  await say(bob, '/join #black-tea');
  await bob.locator('.toast', { hasText: /banned/i }).waitFor();
});
