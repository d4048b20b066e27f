// A phone that speaks Chinese: one pane at a time, words in its language, nothing wider than the screen, installable.

import { check, enter, same, say, scenario, sees, tool, until } from './lib.mjs';

await scenario(async () => {
  const phone = await enter('alice', { viewport: { width: 390, height: 844 }, locale: 'zh-CN', hasTouch: true, isMobile: true });
  const bob = await enter('bob');
  const visible = (selector) => phone.locator(selector).isVisible();
  const wide = () => phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);

  same([await visible('.rooms-pane'), await visible('.talk-pane')], [true, false], 'first the list');
  same(await phone.evaluate(() => document.documentElement.lang), 'zh-CN', 'the language');
  check(await phone.getByText('聊天室', { exact: true }).isVisible(), 'in Chinese');
  await say(bob, '早上好，喝茶吗？');
  await phone.locator('.count', { hasText: '1' }).waitFor();
  await phone.tap('.room:has-text("lobby")');
  same([await visible('.rooms-pane'), await visible('.talk-pane')], [false, true], 'then the conversation');
  await sees(phone, '早上好，喝茶吗？');
  await say(phone, `来一杯乌龙。${'很长的一句话'.repeat(40)} ${'x'.repeat(300)}`);
  await sees(bob, '来一杯乌龙');
  check((await wide()) <= 0, 'nothing is wider than the screen');
  await phone.tap('.row:has-text("喝茶吗") .text');
  await tool(phone, '喝茶吗', '回复');
  await say(phone, '好');
  await until(bob, () => document.querySelector('.quote')?.textContent.includes('喝茶吗'));

  await phone.tap('[aria-label="成员"]');
  check(await phone.locator('.member', { hasText: 'bob' }).isVisible(), 'the members over it');
  check((await wide()) <= 0, 'nothing is wider than the screen');
  await phone.tap('.side-pane [aria-label="关闭"]');
  await phone.tap('[aria-label="返回列表"]');
  same([await visible('.rooms-pane'), await visible('.talk-pane')], [true, false], 'and back');
  await phone.tap('.me');
  await phone.selectOption('dialog select >> nth=0', 'dark');
  same(await phone.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark', 'the theme is chosen');
  check((await wide()) <= 0, 'nothing is wider than the screen');

  const manifest = await phone.evaluate(async () => (await fetch(document.querySelector('link[rel=manifest]').href)).json());
  same([manifest.display, manifest.icons.some((icon) => icon.sizes === '512x512')], ['standalone', true], 'it can be installed');
  for (const { src } of manifest.icons) check(await phone.evaluate(async (name) => (await fetch(name)).ok, src), src);
});
