// What the scenarios share: a browser as people have it, logging in, saying something, waiting.
// The test that runs a scenario (tests/it/web_browser.rs) hands over the address in CHATD_URL, and is asked for what only
// it can do (stop the server, speak IRC) by lines that start with @.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { chromium } = createRequire(process.env.CHATD_CLIENTS ?? `${process.cwd()}/target/clients/`)('playwright-core');

export const URL_OF_PAGE = process.env.CHATD_URL;
export const passwordOf = (name) => `the-word-of-${name}`;
/** When a wait is given up. Not a measure of speed. */
export const PATIENCE = 30_000;

const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const problems = [];
let browser;

/** Runs a scenario; anything that the page complains of is a failure, too. */
export async function scenario(play) {
  browser = await chromium.launch({ executablePath: process.env.CHATD_CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
  let failed = null;
  try {
    await play();
    if (problems.length) throw new Error(`the page complained:\n${problems.join('\n')}`);
  } catch (error) {
    failed = error;
    let n = 0;
    for (const context of browser.contexts()) {
      for (const page of context.pages()) {
        const text = await page.locator('body').innerText().catch(() => '?');
        console.log(`--- ${page.url()}\n${text.slice(-1500)}\n---`);
        if (process.env.CHATD_SHOTS) await page.screenshot({ path: `${process.env.CHATD_SHOTS}/failed-${(n += 1)}.png` }).catch(() => {});
      }
    }
  }
  await browser.close();
  input.close();
  if (failed) {
    console.log(problems.join('\n'));
    console.log(failed.stack);
    process.exit(1);
  }
  console.log('@done');
}

/** Somebody's browser. */
export async function visit(options = {}, url = URL_OF_PAGE) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => problems.push(`error: ${error.stack}`));
  page.on('console', (message) => {
    // That a server which is down cannot be reached is said by the browser itself.
    if (['error', 'warning'].includes(message.type()) && !/WebSocket connection|Failed to load resource/.test(message.text())) problems.push(message.text());
  });
  page.on('dialog', (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);
  return page;
}

export async function enter(name, options = {}) {
  const page = await visit(options);
  await page.fill('[name=username]', name);
  await page.fill('[name=password]', passwordOf(name));
  await page.keyboard.press('Enter');
  await page.waitForSelector('.room[aria-current]');
  return page;
}

export async function say(page, text) {
  await page.fill('.write textarea', text);
  await page.press('.write textarea', 'Enter');
}

/** The row of a message that has all of `text`. */
export const row = (page, text) => page.locator('.row', { hasText: text }).last();

export async function sees(page, text) {
  await row(page, text).waitFor();
  return row(page, text);
}

/** The tool of a message, by its name. */
export async function tool(page, text, name) {
  await row(page, text).hover();
  await page.click(`.tools [aria-label="${name}"]`);
}

/** Waits until `question`, asked in the page, has a true answer. */
export const until = (page, question, value) => page.waitForFunction(question, value, { timeout: PATIENCE });

export function check(fact, what) {
  if (!fact) throw new Error(`not so: ${what}`);
}

export function same(actual, wanted, what) {
  check(JSON.stringify(actual) === JSON.stringify(wanted), `${what}: ${JSON.stringify(actual)} is not ${JSON.stringify(wanted)}`);
}

// --- what only the test can do ---

const answers = [];
const waiting = [];
const input = createInterface({ input: process.stdin });
input.on('line', (line) => (waiting.length ? waiting.shift()(line) : answers.push(line)));

/** `stage('kill')`: asks the test for something, and waits until it is done. */
export async function stage(wish) {
  console.log(`@${wish}`);
  return answers.length ? answers.shift() : new Promise((resolve) => waiting.push(resolve));
}
