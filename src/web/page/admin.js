// For administrators: accounts, rooms, who is connected, the server in figures. Every act is a question to the service
// account, which carries it out as the command line does; there is no other way in. Fetched when it is opened.

import { dialog, h } from './dom.js';
import { moment, t } from './i18n.js';
import { plain } from './text.js';
import { sure } from './view-dialogs.js';

/** Pages of a list that are read at once; whoever has more names looks for one. */
const PAGES_MAX = 20;
/** A list is asked for behind a name; so this begins it with the name that is looked for. */
const justBefore = (text) => text.slice(0, -1) || text;
const when = (time) => (time ? moment(Date.parse(time)) : '—');

export function admin(app) {
  const { client } = app;
  const panel = h('div', { role: 'tabpanel', id: 'admin-panel' });
  const status = h('p', { class: 'error', role: 'alert' });
  const once = h('div', {});
  const tabs = h('div', { class: 'tabs', role: 'tablist' });
  const element = dialog(t('administration'), t('close'), tabs, status, once, panel);
  element.classList.add('admin');

  /** Grows with all that is asked for: an answer that comes late replaces nothing. */
  let turn = 0;
  const fill = async (make) => {
    const mine = (turn += 1);
    try {
      const content = await make();
      if (mine === turn) panel.replaceChildren(...content);
    } catch (error) {
      if (mine !== turn) return;
      panel.replaceChildren();
      status.textContent = error.message || t('offline');
    }
  };

  /** Does something; says what went wrong, else shows the list again. */
  const act = async (words, after) => {
    status.textContent = '';
    const at = turn;
    try {
      const [answer] = await client.told(words);
      // Whoever looks at something else by now goes on looking at that.
      if (at === turn) await after?.();
      return answer ?? {};
    } catch (error) {
      status.textContent = error.message || t('offline');
      return null;
    }
  };
  const button = (label, onclick, kind = '') => h('button', { type: 'button', class: kind, onclick }, label);
  const name = (text) => h('bdi', {}, plain(text));
  const table = (heads, rows) => h('div', { class: 'table-box' }, h('table', {},
    h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell) => h('td', {}, cell)))))));
  const line = (label, word, go, more = []) => {
    const input = h('input', { required: true, maxlength: '64', placeholder: label, 'aria-label': label, autocapitalize: 'none', spellcheck: 'false' });
    return h('form', { class: 'beside', onsubmit: (event) => { event.preventDefault(); go(input.value.trim()); } }, input, more, h('button', { type: 'submit', class: 'primary' }, word));
  };
  const ask = async (question, word, words, again) => {
    if ((await sure(question, { word })) !== null) act(words, again);
  };
  const secret = (answer) => answer?.password && once.replaceChildren(h('p', { role: 'status' }, t('admin-password', { name: plain(answer.account) }), ' ', h('span', { class: 'secret' }, answer.password)));

  /** `from`: names behind this one, if somebody looks for one in a very long list. */
  const users = (from = '') => fill(async () => {
    const { rows, more } = await all('users', from);
    const kind = h('select', { 'aria-label': t('role') }, h('option', { value: '' }, t('admin-person')), h('option', { value: ' admin' }, t('administrator')), h('option', { value: ' bot' }, t('bot')));
    return [
      line(t('account'), t('admin-add'), async (text) => secret(await act(`users add ${text}${kind.value}`, () => users())), [kind]),
      more || from ? line(t('admin-find'), t('search'), (text) => users(justBefore(text))) : '',
      more ? h('p', { class: 'hint' }, t('admin-more', { count: rows.length })) : '',
      table([t('account'), t('role'), t('admin-last'), t('admin-acts')], rows.map((user) => [
        name(user.account),
        [user.admin && t('administrator'), user.bot && t('bot'), user.disabled && t('admin-disabled')].filter(Boolean).join(', '),
        user.sessions ? t('online') : when(user.last_seen),
        [
          button(t(user.disabled ? 'admin-enable' : 'admin-disable'), () => act(`users ${user.disabled ? 'enable' : 'disable'} ${user.account}`, () => users(from))),
          button(t('admin-reset'), async () => {
            if ((await sure(t('admin-reset-sure', { name: plain(user.account) }), { word: t('admin-reset') })) !== null) secret(await act(`users reset ${user.account}`, () => users(from)));
          }),
          button(t('devices'), () => devices(user.account)),
        ],
      ]))];
  });

  const devices = (account) => fill(async () => {
    const { rows } = await all(`users devices ${account}`);
    const again = () => devices(account);
    return [
      h('p', {}, button(t('back-to-list'), () => show('users')), ' ', name(account)),
      rows.length ? table([t('devices'), t('admin-last'), t('admin-token'), t('admin-acts')], rows.map((device) => [
        name(device.device), device.sessions ? t('online') : when(device.last_seen), device.token ? when(device.token_used) : '—',
        device.token ? button(t('admin-revoke'), () => act(`users revoke ${account} ${device.device}`, again), 'danger') : null,
      ])) : h('p', { class: 'hint' }, t('nobody'))];
  });

  const rooms = (from = '') => fill(async () => {
    const { rows, more } = await all('rooms', from);
    return [
      line(t('room-name'), t('admin-create'), (text) => act(`rooms create ${text.startsWith('#') ? text : `#${text}`}`, () => rooms())),
      more || from ? line(t('admin-find'), t('search'), (text) => rooms(justBefore(text.startsWith('#') ? text : `#${text}`))) : '',
      more ? h('p', { class: 'hint' }, t('admin-more', { count: rows.length })) : '',
      table([t('room-name'), t('members'), t('message'), t('admin-last'), t('admin-acts')], rows.map((room) => [
        [name(room.room), h('br'), h('small', { dir: 'auto' }, plain(room.topic ?? ''))], String(room.members), String(room.messages), when(room.last),
        button(t('admin-remove'), () => ask(t('admin-remove-sure', { name: plain(room.room) }), t('admin-remove'), `rooms remove ${room.room} yes`, () => rooms(from)), 'danger'),
      ]))];
  });

  const connected = () => fill(async () => {
    const { rows, more } = await all('connected');
    return [more ? h('p', { class: 'hint' }, t('admin-more', { count: rows.length })) : '', table([t('account'), t('devices'), t('here-since'), t('status')], rows.map((person) => [
      name(person.account), (person.devices ?? []).map(plain).join(', ') || String(person.sessions), when(person.since), t(person.away ? 'away' : 'online'),
    ]))];
  });

  const figures = () => fill(async () => {
    const [row] = await client.told('figures');
    const entries = Object.entries(row).filter(([key]) => key !== 'ok');
    return [table([t('admin-figure'), t('admin-value')], entries.map(([key, value]) => [key.replace(/_/g, ' '), key === 'started' ? when(value) : String(value)]))];
  });

  /** The newest acts of administrators, the newest first. */
  const audit = () => fill(async () => {
    const { rows } = await client.listed('audit');
    return [table([t('admin-time'), t('admin-who'), t('admin-from'), t('admin-what')], rows.reverse().map((row) => [
      when(row.time), name(row.who), plain(row.from), [plain(row.what), row.done ? '' : ` (${t('admin-refused')}: ${plain(row.result ?? '')})`],
    ]))];
  });

  /** A list page by page, from its beginning or behind a name; whether there is more of it. */
  async function all(question, from = '') {
    const rows = [];
    let after = from && ` after ${from}`;
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await client.listed(`${question}${after}`);
      rows.push(...page.rows);
      if (!page.more) return { rows, more: false };
      after = ` after ${page.more}`;
    }
    return { rows, more: true };
  }

  const views = { users, rooms, connected, figures, audit };
  async function show(which) {
    for (const tab of tabs.children) {
      tab.setAttribute('aria-selected', String(tab.dataset.view === which));
      tab.tabIndex = tab.dataset.view === which ? 0 : -1;
    }
    panel.setAttribute('aria-labelledby', `admin-tab-${which}`);
    status.textContent = '';
    // Shown once: whoever goes on to look at something else has it.
    once.replaceChildren();
    // Nobody is to write into what is about to go.
    panel.replaceChildren(h('p', { class: 'hint' }, t('loading')));
    await views[which]();
  }
  /** The keys of a list of tabs. */
  tabs.addEventListener('keydown', (event) => {
    const at = [...tabs.children].indexOf(document.activeElement);
    const last = tabs.children.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    tabs.children[to].focus();
    show(tabs.children[to].dataset.view);
  });
  for (const view of Object.keys(views)) {
    tabs.append(h('button', { type: 'button', role: 'tab', id: `admin-tab-${view}`, 'aria-controls': 'admin-panel', 'data-view': view, onclick: () => show(view) }, t(`admin-${view}`)));
  }
  show('users');
  tabs.firstElementChild.focus();
}
