// Ten thousand lines: what is unread, scrolling up to the first of them with a small DOM and nothing left out, search with
// a jump, and back to the present.

import { check, enter, same, scenario, sees, until } from './lib.mjs';

const LINES = 10_000;

await scenario(async () => {
  const alice = await enter('alice');
  await sees(alice, `line ${LINES - 1}`);

  // Up to the first line, by the wheel of a mouse; every row that is ever in the DOM is noted.
  const found = await alice.evaluate(async (lines) => {
    const scroller = document.querySelector('.timeline');
    const seen = new Set();
    let most = 0;
    let jumps = 0;
    const note = () => {
      const rows = document.querySelectorAll('.rows > .row');
      most = Math.max(most, rows.length);
      let before = -1;
      for (const row of rows) {
        const number = Number(/line (\d+)/.exec(row.textContent)?.[1] ?? -1);
        if (number < 0) continue;
        if (before >= 0 && number !== before + 1) jumps += 1;
        before = number;
        seen.add(number);
      }
    };
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const end = performance.now() + 60_000;
    let still = 0;
    let strayed = 0;
    window.moved = 0;
    new MutationObserver((changes) => {
      const gone = new Set(changes.flatMap((change) => [...change.removedNodes]));
      for (const change of changes) for (const node of change.addedNodes) if (gone.has(node)) moved += 1;
    }).observe(document.querySelector('.rows'), { childList: true });
    note();
    while (!seen.has(0) && performance.now() < end) {
      // What is looked at stays where it is while more is put before it.
      const key = document.elementFromPoint(innerWidth / 2, 300).closest('.row')?.dataset.key;
      const place = () => document.querySelector(`.row[data-key="${key}"] .line`)?.getBoundingClientRect().top ?? NaN;
      const before = place();
      const top = scroller.scrollTop;
      scroller.scrollTop = Math.max(0, top - 500);
      const by = top - scroller.scrollTop;
      await frame();
      note();
      if (key && !(Math.abs(place() - before - by) < 2)) strayed += 1;
      still = scroller.scrollTop === 0 ? still + 1 : 0;
    }
    return { seen: seen.size, first: seen.has(0), most, jumps, lines, still, strayed };
  }, LINES);
  check(found.first, `the first line is reached: ${JSON.stringify(found)}`);
  same([found.seen, found.jumps], [LINES, 0], `no line is left out or doubled: ${JSON.stringify(found)}`);
  same(found.strayed, 0, `what is looked at stays in its place: ${JSON.stringify(found)}`);
  check(found.most <= 200, `the DOM stays small: ${found.most} rows`);
  await alice.locator('.edge', { hasText: 'beginning of #lobby' }).waitFor();

  // Down again some way, for the window moves in both directions.
  await alice.evaluate(async () => {
    const scroller = document.querySelector('.timeline');
    for (let n = 0; n < 60; n++) {
      scroller.scrollTop += 700;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  });
  check((await alice.locator('.rows > .row').count()) <= 200, 'the DOM stays small');
  same(await alice.evaluate(() => moved), 0, 'rows that stay are not moved, so that they need not be laid out again');
  await alice.click('.to-present');
  await sees(alice, `line ${LINES - 1}`);

  // Search, and go there.
  await alice.reload();
  await alice.waitForSelector('.room[aria-current], [name=username]');
  if (await alice.locator('[name=username]').count()) {
    await alice.fill('[name=username]', 'alice');
    await alice.fill('[name=password]', 'the-word-of-alice');
    await alice.keyboard.press('Enter');
  }
  await sees(alice, `line ${LINES - 1}`);
  await alice.keyboard.press('Control+Shift+F');
  await alice.keyboard.type('needle');
  await alice.keyboard.press('Enter');
  await alice.locator('.hit', { hasText: 'needle' }).click();
  await alice.locator('.row:focus', { hasText: 'line 4321 needle' }).waitFor();
  await until(alice, () => {
    const box = document.querySelector('.row:focus').getBoundingClientRect();
    return box.top > 0 && box.bottom < innerHeight;
  });
  // From there on downwards, page after page, what follows is fetched.
  await alice.evaluate(async () => {
    const scroller = document.querySelector('.timeline');
    const there = () => [...document.querySelectorAll('.rows .text')].some((text) => text.textContent === 'line 4700');
    for (let n = 0; n < 2_000 && !there(); n++) {
      scroller.scrollTop += 600;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  });
  await sees(alice, 'line 4700');
  await alice.click('.to-present');
  await sees(alice, `line ${LINES - 1}`);
});
