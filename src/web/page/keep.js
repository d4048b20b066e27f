// What this browser keeps between visits: the device token, and how the page is liked. Never a password.
// The token is as good as a login, so it lies in the storage of this origin alone, which no other site can read; it can
// be taken back at any time, and logging out does it. A tab keeps for itself, over a reload, what was written and not yet
// confirmed; it ends with the tab, or with logging out, and is bounded.

/** Messages kept, and characters of all that a tab keeps; the oldest give way. */
const UNSENT_MAX = 50;
const CHARACTERS_MAX = 128 * 1024;
const DRAFTS_MAX = 50;

/** @param {() => Storage} open */
function usable(open) {
  try {
    const storage = open();
    storage.setItem('chatd.probe', '1');
    storage.removeItem('chatd.probe');
    return storage;
  } catch {
    // Storage is forbidden: the page works, and forgets when it is closed.
    const map = new Map();
    return { getItem: (key) => map.get(key) ?? null, setItem: (key, value) => map.set(key, value), removeItem: (key) => map.delete(key) };
  }
}
const store = usable(() => localStorage);
const tab = usable(() => sessionStorage);

function read(name, otherwise, from = store) {
  try {
    return JSON.parse(from.getItem(`chatd.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(name, value, to) {
  try {
    to.setItem(`chatd.${name}`, JSON.stringify(value));
  } catch {
    // It is full; what is on the screen stays there.
  }
}

const BROWSERS = [['edge', /Edg/], ['opera', /OPR/], ['firefox', /Firefox|FxiOS/], ['chrome', /Chrom|CriOS/], ['safari', /Safari/]];
const SYSTEMS = [['iphone', /iPhone/], ['ipad', /iPad/], ['android', /Android/], ['windows', /Windows/], ['mac', /Mac OS/], ['linux', /Linux|CrOS/]];

/** What this browser is called in the list of somebody's devices. @param {string} agent @param {Uint8Array} random */
export function deviceName(agent, random) {
  const first = (list) => list.find(([, pattern]) => pattern.test(agent))?.[0];
  const digits = [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return ['web', first(BROWSERS), first(SYSTEMS), digits].filter(Boolean).join('-');
}

/** @returns {{account: string, token: string, device: string} | null} */
export const session = () => read('session', null);
export const keepSession = (value) => store.setItem('chatd.session', JSON.stringify(value));
export const forgetSession = () => store.removeItem('chatd.session');

/** @returns {{theme: string, language: string, presence: boolean, notify: boolean}} */
export const liked = () => ({ theme: 'system', language: '', presence: false, notify: false, ...read('liked', {}) });
export const like = (change) => store.setItem('chatd.liked', JSON.stringify({ ...liked(), ...change }));

export const lastRoom = () => read('room', '');
export const keepRoom = (name) => store.setItem('chatd.room', JSON.stringify(name));

/** What this account said in this tab and nobody has confirmed. @returns {object[]} */
export const unsent = (account) => mine('unsent', account, []);
export function keepUnsent(account, list) {
  if (!list.length) return tab.removeItem('chatd.unsent');
  const kept = list.slice(-UNSENT_MAX);
  while (kept.length > 1 && kept.reduce((sum, each) => sum + each.text.length, 0) > CHARACTERS_MAX) kept.shift();
  return write('unsent', { account, value: kept }, tab);
}

/** What was begun in a room and not sent. */
export const draft = (account, room) => mine('drafts', account, {})[room] ?? '';
export function keepDraft(account, room, text) {
  const { [room]: _, ...others } = mine('drafts', account, {});
  const rest = Object.entries(others).slice(-DRAFTS_MAX);
  while (rest.reduce((sum, [, each]) => sum + each.length, text.length) > CHARACTERS_MAX && rest.length) rest.shift();
  const value = Object.fromEntries(text ? [...rest, [room, text.slice(0, CHARACTERS_MAX)]] : rest);
  write('drafts', { account, value }, tab);
}

export function forgetTab() {
  for (const name of ['unsent', 'drafts']) tab.removeItem(`chatd.${name}`);
}

/** Of another account, nothing is shown. */
function mine(name, account, otherwise) {
  const found = read(name, null, tab);
  return found?.account === account ? found.value : otherwise;
}
