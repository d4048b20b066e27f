// Words in the reader's language: one table a language in `i18n/`. To add one: copy `i18n/en.js`, translate, and add a
// line to LANGUAGES (and a row to the server's table of modules). A test holds all tables to the same keys.

import en from './i18n/en.js';
import zhCN from './i18n/zh-CN.js';

export const LANGUAGES = {
  en: { name: 'English', table: en },
  'zh-CN': { name: '简体中文', table: zhCN },
};

let table = en;
let spoken = 'en';

/** The language that is spoken now. */
export const language = () => spoken;

/** The best language for these wishes, most wanted first. @param {readonly string[]} wishes */
export function choose(wishes) {
  for (const wish of wishes) {
    const lower = wish.toLowerCase();
    const found = Object.keys(LANGUAGES).find(
      (each) => lower === each.toLowerCase() || lower.split('-')[0] === each.toLowerCase().split('-')[0],
    );
    if (found) return found;
  }
  return 'en';
}

export function speak(wanted) {
  spoken = wanted in LANGUAGES ? wanted : 'en';
  table = LANGUAGES[spoken].table;
  document.documentElement.lang = spoken;
}

/** @param {string} key @param {Record<string, string|number>} [values] put where the text has {name} */
export function t(key, values = {}) {
  const text = table[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

const formats = new Map();
function format(kind, options) {
  const key = `${spoken} ${kind}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(spoken, options));
  return formats.get(key);
}

export const clock = (time) => format('clock', { hour: '2-digit', minute: '2-digit' }).format(time);
export const moment = (time) => format('moment', { dateStyle: 'medium', timeStyle: 'short' }).format(time);

/** A day as people call it. @param {number} time @param {number} now */
export function day(time, now) {
  const start = (moment) => new Date(moment).setHours(0, 0, 0, 0);
  const days = Math.round((start(now) - start(time)) / 86_400_000);
  if (days === 0) return t('today');
  if (days === 1) return t('yesterday');
  const year = new Date(time).getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return format(`day${year}`, { weekday: 'long', day: 'numeric', month: 'long', year }).format(time);
}
