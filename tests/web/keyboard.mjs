// Without a mouse, and for those who listen: everything is reached by keys, has a name and shows its focus; what is new is
// said in a live region; text has contrast in both themes (WCAG AA).

import { check, passwordOf, row, same, say, scenario, sees, enter, until, visit } from './lib.mjs';

/** Texts whose colours are too near to what they stand on, and controls without a name. */
function faults() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const ink = canvas.getContext('2d', { willReadFrequently: true });
  const rgb = (colours) => {
    ink.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      ink.fillStyle = colour;
      ink.fillRect(0, 0, 1, 1);
    }
    return [...ink.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || element.closest('[hidden],.announcer,.unseen')) continue;
    const style = getComputedStyle(element);
    if (element.matches('button,input,textarea,select,a')) {
      const name = element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent || element.title;
      if (!name.trim()) found.push(`no name: ${element.outerHTML.slice(0, 120)}`);
    }
    const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!words || style.visibility === 'hidden' || style.opacity === '0' || style.color === 'rgba(0, 0, 0, 0)') continue;
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    const ground = rgb(['#fff', ...grounds]);
    const text = rgb([`rgb(${ground})`, style.color]);
    const [low, high] = [light(ground), light(text)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)}: ${element.className || element.tagName} ${element.textContent.slice(0, 30)}`);
  }
  return found;
}

await scenario(async () => {
  const alice = await visit();
  const keys = alice.keyboard;
  same(await alice.evaluate(() => document.activeElement.name), 'username', 'the focus is where one begins');
  same(await alice.evaluate(faults), [], 'the door');
  await keys.type('alice');
  await keys.press('Tab');
  await keys.type(passwordOf('alice'));
  await keys.press('Enter');
  await alice.waitForSelector('.room[aria-current]');
  const bob = await enter('bob', { colorScheme: 'dark' });
  await say(bob, 'hello alice, `code` and https://example.org');
  await sees(alice, 'hello alice');
  await until(alice, () => document.querySelector('.announcer').textContent.includes('hello alice'));

  // To the line, complete a name, write, a second line, send.
  await alice.focus('body');
  for (let n = 0; n < 60 && (await alice.evaluate(() => document.activeElement.tagName)) !== 'TEXTAREA'; n++) {
    await keys.press('Tab');
    const shown = await alice.evaluate(() => getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement.parentElement).outlineStyle);
    check(shown.includes('solid') || shown.includes('auto'), 'the focus can be seen');
  }
  await keys.type('@bo');
  await alice.locator('[role=option][aria-selected=true]', { hasText: 'bob' }).waitFor();
  await keys.press('Tab');
  await keys.type('one');
  await keys.press('Shift+Enter');
  await keys.type('two');
  await keys.press('Enter');
  same(await (await sees(bob, 'bob: one')).locator('.text').innerText(), 'bob: one\ntwo', 'both lines');

  // To the messages: react, answer, take back.
  await keys.press('ArrowUp');
  await until(alice, () => document.activeElement.matches('.row'));
  await keys.press('ArrowUp');
  await keys.press('e');
  await alice.waitForSelector('.emoji-list');
  await keys.press('ArrowRight');
  await keys.press('Enter');
  await row(bob, 'hello alice').locator('.reaction').waitFor();
  await until(alice, () => document.activeElement.closest('.row'));
  await keys.press('r');
  await keys.type('an answer');
  await keys.press('Enter');
  await (await sees(bob, 'an answer')).locator('.quote').waitFor();
  await keys.press('ArrowUp');
  await keys.press('Delete');
  await alice.waitForSelector('dialog');
  await keys.press('Enter');
  await sees(bob, 'taken back');
  await keys.press('Escape');

  // Rooms, help, search.
  await alice.focus('textarea');
  await keys.type('/join tea');
  await keys.press('Enter');
  await alice.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  await keys.press('Alt+ArrowUp');
  await alice.locator('.room[aria-current]', { hasText: 'lobby' }).waitFor();
  await keys.press('Control+k');
  await keys.type('te');
  await keys.press('Enter');
  await alice.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  await keys.press('?');
  await alice.locator('dialog kbd', { hasText: 'Ctrl K' }).waitFor();
  same(await alice.evaluate(faults), [], 'help');
  await keys.press('Escape');
  same(await alice.evaluate(() => document.activeElement.tagName), 'TEXTAREA', 'the focus comes back');
  await keys.press('Alt+ArrowUp');
  await keys.press('Control+Shift+F');
  await keys.type('hello');
  await keys.press('Enter');
  await alice.locator('.hit').waitFor();
  same(await alice.evaluate(faults), [], 'in light');
  same(await bob.evaluate(faults), [], 'in dark');
  const roles = await alice.evaluate(() => ['nav', 'main', 'aside', '[role=log]', '[aria-live=polite]'].map((each) => document.querySelectorAll(each).length));
  check(roles.every((count) => count >= 1), `landmarks: ${roles}`);
});
