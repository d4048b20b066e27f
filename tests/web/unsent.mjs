// What was written and not confirmed survives a reload, also if the server is killed meanwhile, and is sent once: what the
// server had stored already is found in the log, however much was said since.

import { check, enter, row, same, say, scenario, sees, stage, until, URL_OF_PAGE } from './lib.mjs';

await scenario(async () => {
  const alice = await enter('alice');
  await say(alice, 'before');
  await sees(alice, 'before');
  await until(alice, () => localStorage.getItem('chatd.session') && !document.querySelector('.row.sending'));

  // The server hears it and stores it; nobody tells the page.
  let deaf = false;
  await alice.routeWebSocket(/\/irc$/, (page) => {
    const server = page.connectToServer();
    server.onMessage((data) => deaf || page.send(data));
  });
  await alice.reload();
  await sees(alice, 'before');
  deaf = true;
  await say(alice, 'stored and not confirmed');
  await row(alice, 'stored and not confirmed').waitFor();
  await stage('stored');
  await stage('kill');
  await alice.locator('.banner', { hasText: 'No connection' }).waitFor();
  await say(alice, 'never sent');
  await say(alice, 'of several\nlines');
  await alice.fill('.write textarea', 'a draft');
  await until(alice, () => document.querySelectorAll('.row.sending').length === 3);

  // Away from the page, as by a reload; much is said before it is back.
  await alice.goto('about:blank');
  await stage('boot');
  deaf = false;
  await alice.goto(URL_OF_PAGE);
  await sees(alice, 'of several');
  await until(alice, () => document.querySelectorAll('.row').length > 10 && !document.querySelector('.row.sending, .row.failed'));
  same(await alice.inputValue('.write textarea'), 'a draft', 'what was begun is there');
  check(!(await alice.evaluate(() => sessionStorage.getItem('chatd.unsent'))), 'nothing waits any more');
  await stage('check');

  // Nor does anything come of another reload; another account is shown nothing of it.
  await alice.reload();
  await sees(alice, 'of several');
  await stage('check');
});
