// Two browsers and an IRC client talk: lines, long messages, mentions, replies, reactions, taking back, typing, direct
// messages, rooms made and set; and what is made of HTML and of overrides does nothing.

import { check, enter, row, same, say, scenario, sees, stage, tool, until } from './lib.mjs';

await scenario(async () => {
  const alice = await enter('alice');
  const bob = await enter('bob');

  await say(alice, 'hello from the page, 你好');
  await sees(bob, 'hello from the page, 你好');
  await stage('irc');
  await sees(alice, 'hello from IRC');
  await sees(bob, 'hello from IRC');
  check((await alice.locator('.row.sending').count()) === 0, 'the echo has come');

  await say(bob, 'alice: look at https://example.org/a?b=c.');
  const link = (await sees(alice, 'look at')).locator('a');
  same(await link.getAttribute('href'), 'https://example.org/a?b=c', 'the address');
  same(await link.getAttribute('rel'), 'noopener noreferrer', 'where one came from is not told');
  check((await row(alice, 'look at').getAttribute('class')).includes('mention'), 'alice is mentioned');

  const long = `first\n\n\`\`\`\n  two < 3\n\`\`\`\n${'word '.repeat(300)}end`;
  await say(alice, long);
  const told = await sees(bob, 'first');
  same(await told.locator('pre').innerText(), '  two < 3', 'code keeps its blanks');
  check((await told.innerText()).includes('end'), 'the long message is one message');

  // Made of HTML and of overrides: text, and nothing but text.
  const evil = '<img src=x onerror="document.title=1"><script>alert(1)</script> [x](javascript:alert(1)) \u202Edlrow\u202C \u2066a \x07\x1b[31m&amp;';
  await say(bob, evil);
  const shown = await sees(alice, 'onerror');
  check((await shown.locator('img, script, a').count()) === 0, 'no element comes of it');
  const text = await shown.locator('.text').textContent();
  check(text.includes('<img src=x onerror=') && text.includes('&amp;') && text.includes('dlrow'), text);
  check(!/[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]/.test(text), 'no override, no control character');
  same(await shown.locator('.text').evaluate((e) => [e.dir, getComputedStyle(e).unicodeBidi]), ['auto', 'isolate'], 'its direction is its own');

  // Answer, react, take back.
  await tool(alice, 'hello from IRC', 'Answer');
  await say(alice, 'an answer');
  check((await (await sees(bob, 'an answer')).locator('.quote').innerText()).includes('hello from IRC'), 'the quote');
  await tool(bob, 'an answer', 'React');
  await bob.click('.emoji-grid button:first-child');
  await (await sees(alice, 'an answer')).locator('.reaction', { hasText: '👍' }).waitFor();
  await row(alice, 'an answer').locator('.reaction').click();
  await until(bob, () => [...document.querySelectorAll('.reaction')].some((e) => e.textContent.includes('2')));
  await row(bob, 'an answer').locator('.reaction').click();
  await until(alice, () => [...document.querySelectorAll('.reaction')].some((e) => e.textContent.includes('1')));
  await say(bob, 'wrong window');
  await sees(alice, 'wrong window');
  await tool(bob, 'wrong window', 'Take back');
  await bob.fill('dialog input', 'sorry');
  await bob.keyboard.press('Enter');
  await sees(alice, 'taken back: sorry');
  check((await row(alice, 'wrong window').count()) === 0, 'it is gone');

  // Typing.
  await bob.fill('.write textarea', 'I am');
  await alice.locator('.typing', { hasText: 'bob is typing' }).waitFor();
  await bob.fill('.write textarea', '');
  await until(alice, () => document.querySelector('.typing').textContent === '');

  // Privately; what is unread is counted, in the title too.
  await say(bob, '/msg alice psst');
  await alice.locator('.room', { hasText: 'bob' }).locator('.count.loud', { hasText: '1' }).waitFor();
  await until(alice, () => document.title.startsWith('(1)'));
  await alice.click('.room:has-text("bob")');
  await sees(alice, 'psst');
  await until(alice, () => !document.querySelector('.count') && !document.title.startsWith('('));

  // A room of one's own, its topic, its rules, its people.
  await alice.click('[aria-label="Enter or create a room"]');
  await alice.fill('dialog input', 'tea');
  await alice.keyboard.press('Enter');
  await alice.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  await alice.click('[aria-label="Settings of this room"]');
  await alice.locator('.field', { hasText: 'Topic' }).locator('input').fill('green or black');
  await alice.locator('.field', { hasText: 'Topic' }).locator('button').click();
  await alice.locator('.topic', { hasText: 'green or black' }).waitFor();
  await alice.click('.tick:has-text("invitation only")');
  await alice.locator('.row.event', { hasText: '+i' }).waitFor();
  await alice.locator('.field', { hasText: 'Invite somebody' }).locator('input').fill('bob');
  await alice.click('button:text-is("Invite")');
  // Carried out: until then the door is closed to bob.
  await until(alice, () => [...document.querySelectorAll('.field')].some((e) => e.textContent.includes('Invite somebody') && e.querySelector('input').value === ''));
  await alice.keyboard.press('Escape');
  await say(bob, '/join #tea');
  await bob.locator('.room[aria-current]', { hasText: 'tea' }).waitFor();
  await bob.locator('.topic', { hasText: 'green or black' }).waitFor();
  await alice.locator('.member', { hasText: 'bob' }).click();
  await alice.click('button:text-is("Remove")');
  await alice.fill('dialog input', 'no milk');
  await alice.keyboard.press('Enter');
  await sees(alice, 'alice removed bob: no milk');
  await until(alice, () => ![...document.querySelectorAll('.member')].some((e) => e.textContent.includes('bob')));
  await say(alice, '/part');
  await until(alice, () => ![...document.querySelectorAll('.room')].some((e) => e.textContent.includes('tea')));
  // What cannot be sent is kept, and says why.
  await bob.click('.room:has-text("tea")');
  await say(bob, 'am I heard?');
  await row(bob, 'am I heard?').locator('.failure', { hasText: 'Send again' }).waitFor();
});
