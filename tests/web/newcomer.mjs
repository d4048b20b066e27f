// Somebody without an account makes one on the page, if the server allows it: at once, or with the code of an invitation.

import { check, same, scenario, stage, visit } from './lib.mjs';

await scenario(async () => {
  const [kind, code] = (await stage('kind')).split(' ');
  const page = await visit();
  await page.click('button:text-is("Make an account")');
  if (kind === 'closed') {
    await page.getByText('Whoever runs this server makes the accounts').waitFor();
    await page.click('button:text-is("Back to the login")');
    await page.waitForSelector('button:text-is("Log in")');
    return;
  }
  const error = (text) => page.locator('[role=alert]', { hasText: text }).waitFor();
  const fill = async (name, password, again = password) => {
    await page.fill('[name=username]', name);
    await page.fill('[name=password]', password);
    await page.fill('[name=again]', again);
    await page.keyboard.press('Enter');
  };
  await page.waitForSelector('[name=again]');
  same(await page.evaluate(() => document.activeElement.name), 'username', 'the focus is where one begins');
  await fill('zoë', 'a good password', 'another password');
  await error('not the same');
  await fill('alice', 'a good password');
  await error('is taken');
  await fill('zoë', 'short');
  await error('too short');
  await fill('no good name', 'a good password');
  await page.locator('[role=alert]:not(:empty)').waitFor();
  await fill('zoë', 'a good "password" \\ of many :signs');
  if (kind === 'invite') {
    await page.fill('[name=code]', 'not-a-code');
    await page.keyboard.press('Enter');
    await error('not valid');
    await page.fill('[name=code]', code);
    await page.keyboard.press('Enter');
  }
  await page.waitForSelector('.room[aria-current]');
  check((await page.locator('.me').innerText()).includes('zoë'), 'it is there, and logged in');
  await page.reload();
  await page.waitForSelector('.room[aria-current]');
});
