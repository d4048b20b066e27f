// The server is killed and comes back: what is missing is fetched, each line once, and what was written meanwhile is sent.
// A reload needs no password; logging out takes the device's token back.

import { check, enter, row, same, say, scenario, sees, stage, until } from './lib.mjs';

await scenario(async () => {
  const alice = await enter('alice');
  const bob = await enter('bob');
  await say(alice, 'before');
  await sees(bob, 'before');

  await stage('kill');
  await alice.locator('.banner', { hasText: 'No connection' }).waitFor();
  await say(alice, 'written while it was down');
  await row(alice, 'written while it was down').waitFor();
  check((await alice.locator('.row.sending').count()) === 1, 'it waits');
  // Starts it, and says twenty lines by IRC before the browsers are back.
  await stage('boot');
  await sees(alice, 'missed 19');
  await sees(bob, 'missed 19');
  await sees(bob, 'written while it was down');
  await until(alice, () => !document.querySelector('.row.sending') && !document.querySelector('.banner:not([hidden])'));
  for (const page of [alice, bob]) {
    const texts = await page.locator('.row .text').allInnerTexts();
    const wanted = ['before', ...Array.from({ length: 20 }, (_, n) => `missed ${n}`)];
    same(texts.filter((text) => wanted.includes(text)), wanted, 'the gap is filled exactly');
    same(texts.filter((text) => text === 'written while it was down').length, 1, 'it is sent once');
  }
  same(await stage('count written while it was down'), '1', 'and stored once');

  await alice.reload();
  await alice.waitForSelector('.room[aria-current]');
  await sees(alice, 'missed 19');
  const kept = await alice.evaluate(() => JSON.stringify(localStorage));
  check(kept.includes('chatd-token-') && !kept.includes('the-word-of'), 'a token is kept, no password');
  await alice.click('.me');
  await alice.click('button:text-is("Log out of this device")');
  await alice.waitForSelector('[name=password]');
  check(!(await alice.evaluate(() => JSON.stringify(localStorage))).includes('chatd-token-'), 'the token is forgotten');
  await alice.reload();
  await alice.waitForSelector('[name=password]');
  await alice.fill('[name=username]', 'alice');
  await alice.fill('[name=password]', 'not the word');
  await alice.keyboard.press('Enter');
  await alice.locator('.error', { hasText: 'do not match' }).waitFor();
});
