// Somebody who administers the server makes an account, gives it another password, locks it out and lets it in again,
// makes and removes a room, and sees who is connected and the figures. Others find no such door.

import { check, enter, passwordOf, scenario, until } from './lib.mjs';

await scenario(async () => {
  const root = await enter('root');
  const alice = await enter('alice');
  // Once more, by the token of this device.
  await until(alice, () => localStorage.getItem('chatd.session'));
  await alice.reload();
  await alice.waitForSelector('.room[aria-current]');
  await root.click('[aria-label="Administration"]');
  await root.fill('dialog input[type=password]', passwordOf('root'));
  await root.keyboard.press('Enter');
  const panel = root.locator('.admin');
  await panel.locator('tr', { hasText: 'alice' }).waitFor();
  check(!(await alice.locator('[aria-label="Administration"]').isVisible()), 'nobody else is offered it');

  await panel.locator('input').fill('newcomer');
  await panel.getByRole('button', { name: 'Add' }).click();
  const secret = await panel.locator('.secret').innerText();
  check(secret.length >= 12, 'a password is shown once');
  const line = panel.locator('tr', { hasText: 'newcomer' });
  await line.getByRole('button', { name: 'Lock out' }).click();
  await line.getByText('locked out').waitFor();
  await line.getByRole('button', { name: 'Let in' }).click();
  await line.getByRole('button', { name: 'Lock out' }).waitFor();
  await line.getByRole('button', { name: 'New password' }).click();
  await root.locator('dialog button[type=submit]', { hasText: 'New password' }).click();
  await until(root, (old) => document.querySelector('.secret') && document.querySelector('.secret').textContent !== old, secret);

  await panel.getByRole('tab', { name: 'Rooms' }).click();
  check((await panel.locator('.secret').count()) === 0, 'a password is gone when its list is');
  check((await panel.getByRole('tabpanel').getAttribute('aria-labelledby')) === 'admin-tab-rooms', 'the panel has a name');
  await panel.locator('input').fill('plans');
  await panel.getByRole('button', { name: 'Create' }).click();
  await panel.locator('tr', { hasText: '#plans' }).getByRole('button', { name: 'Remove' }).click();
  await root.locator('dialog button[type=submit]', { hasText: 'Remove' }).click();
  await until(root, () => !document.querySelector('.admin').textContent.includes('#plans'));
  await panel.getByRole('tab', { name: 'Connected' }).click();
  await panel.locator('tr', { hasText: 'alice' }).waitFor();
  await panel.getByRole('tab', { name: 'Server' }).click();
  await panel.locator('tr', { hasText: 'version' }).waitFor();
  // By keys alone, to what was done: all of the above, the newest first.
  await root.keyboard.press('ArrowRight');
  await panel.locator('tr', { hasText: 'room remove #plans' }).waitFor();
  check((await panel.locator('tr', { hasText: 'user add newcomer' }).innerText()).includes('root'), 'who did it');

  await panel.getByRole('tab', { name: 'Accounts' }).click();
  await panel.locator('tr', { hasText: 'alice' }).getByRole('button', { name: 'Devices' }).click();
  await panel.locator('tr', { hasText: 'web-' }).getByRole('button', { name: 'Take away' }).click();
  // Its session ends, and its token opens nothing any more.
  await alice.waitForSelector('[name=password]');
});
