// Several rooms: the one of the last visit comes first, with the line before what is new; what is unread in the others is
// counted, at a visit and after the line was down.

import { enter, same, say, scenario, sees, stage, until } from './lib.mjs';

const ROOMS = ['tea', 'books', 'zoo'];

await scenario(async () => {
  const alice = await enter('alice');
  const bob = await enter('bob');
  const open = async (page, room) => {
    await page.click(`.room:has-text("${room}")`);
    await page.locator('.room[aria-current]', { hasText: room }).waitFor();
  };
  for (const room of ROOMS) {
    for (const page of [alice, bob]) {
      await say(page, `/join #${room}`);
      await page.locator('.room[aria-current]', { hasText: room }).waitFor();
    }
    await say(bob, `first in ${room}`);
    // Only who looks has read it.
    await alice.bringToFront();
    await sees(alice, `first in ${room}`);
    await until(alice, () => !document.querySelector('.count'));
  }
  await until(alice, () => localStorage.getItem('chatd.session'));
  await open(alice, 'zoo');
  const here = alice.url();
  await alice.goto('about:blank');
  await bob.bringToFront();
  for (const room of ROOMS) {
    await open(bob, room);
    await say(bob, `alice, hello from ${room}`);
    await sees(bob, `hello from ${room}`);
  }

  await alice.goto(here);
  await alice.locator('.room[aria-current]', { hasText: 'zoo' }).waitFor();
  const after = await alice.locator('.fresh').evaluate((line) => line.closest('.row').textContent);
  same([after.includes('hello from zoo'), after.includes('first')], [true, false], 'the line stands before what is new');
  const count = (room, number) => alice.locator('.room', { hasText: room }).locator('.count.loud', { hasText: number }).waitFor();
  await count('tea', '1');
  await count('books', '1');
  await open(alice, 'books');
  await alice.locator('.fresh').waitFor();

  await stage('kill');
  await alice.locator('.banner:not([hidden])').waitFor();
  await stage('boot');
  await until(alice, () => document.querySelector('.banner').hidden);
  await until(bob, () => document.querySelector('.banner').hidden);
  await open(bob, 'tea');
  await say(bob, 'alice, once more');
  await count('tea', '2');
});
