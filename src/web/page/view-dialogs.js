// What opens over the page: help, settings, a room's settings, new rooms and people, somebody's card, asking twice.

import { dialog, field, h, tick } from './dom.js';
import { LANGUAGES, language, moment, t } from './i18n.js';
import * as keep from './keep.js';
import * as notify from './notify.js';
import { fold } from './irc.js';
import { knownAs, person, rankOf } from './state.js';
import { plain } from './text.js';
import { avatar, nameOf } from './view-message.js';

const open = (title, ...content) => dialog(title, t('close'), ...content);
const button = (label, onclick, kind = '') => h('button', { type: 'button', class: kind, onclick }, label);
const shown = (app) => (error) => app.toast(error.message || t('offline'));

const KEYS = [
  ['Enter', 'key-send'], ['Shift Enter', 'key-line'], ['Tab', 'key-complete'], ['Alt ↑ / Alt ↓', 'key-rooms'],
  ['Alt Shift ↑ / ↓', 'key-unread'], ['Ctrl K', 'key-jump'], ['Ctrl Shift F', 'key-search'], ['PageUp / PageDown', 'key-scroll'],
  ['↑', 'key-messages'], ['R', 'key-reply'], ['E', 'key-react'], ['Delete', 'key-redact'], ['Esc', 'key-present'], ['?', 'key-help'],
];

export function help() {
  open(t('help'),
    h('h3', {}, t('keys')),
    h('table', { class: 'keys' }, h('tbody', {}, KEYS.map(([key, what]) => h('tr', {}, h('th', { scope: 'row' }, h('kbd', {}, key)), h('td', {}, t(what)))))),
    h('h3', {}, t('commands')),
    h('p', {}, h('code', {}, '/me  /join  /part  /msg  /topic  /away  /invite  /kick  /oper')),
    h('p', { class: 'hint' }, t('markup')),
    h('h3', {}, t('other-clients')),
    h('p', { class: 'hint' }, t('other-clients-how', { host: location.hostname, port: location.port || '443' })));
}

export function settings(app) {
  const liked = keep.liked();
  const me = person(app.state, app.state.me);
  const { client } = app;
  const theme = h('select', { onchange: () => { keep.like({ theme: theme.value }); app.theme(); } },
    ['system', 'light', 'dark'].map((each) => h('option', { value: each }, t(`theme-${each}`))));
  theme.value = liked.theme;
  const words = h('select', { onchange: () => { keep.like({ language: words.value }); location.reload(); } },
    Object.entries(LANGUAGES).map(([code, { name }]) => h('option', { value: code, lang: code }, name)));
  words.value = language();
  const name = h('input', { value: knownAs(app.state, app.state.me), maxlength: '100', dir: 'auto' });
  const away = h('input', { value: me.away ?? '', maxlength: '120', dir: 'auto' });
  const devices = h('ul', { class: 'bans devices', 'aria-label': t('devices') }, h('li', {}, t('loading')));
  listDevices(app, devices);
  // Who knows of metadata and who does not see the same name.
  const call = async () => {
    const wish = name.value.trim();
    await client.ask('SETNAME', [wish || app.state.me]);
    if (client.connection.caps.has('draft/metadata-2')) await client.ask('METADATA', ['*', 'SET', 'display-name', ...(wish ? [wish] : [])], { lenient: true });
  };
  const element = open(t('settings'),
    field(t('theme'), theme),
    field(t('language'), words),
    h('div', { class: 'own' }),
    h('h3', {}, t('notifications')),
    tick(t('notify-me'), liked.notify && notify.allowed(), async (on) => {
      const granted = on && (await notify.ask());
      keep.like({ notify: granted });
      if (on && !granted) app.toast(t('notifications-refused'));
    }),
    h('p', { class: 'hint' }, notify.explain()),
    tick(t('show-presence'), liked.presence, (on) => { keep.like({ presence: on }); app.presence(on); }),
    h('h3', {}, t('devices')), h('p', { class: 'hint' }, t('devices-hint')), devices,
    h('details', {}, h('summary', {}, t('change-password')), passwordForm(app)),
    h('div', { class: 'buttons' }, button(t('log-out'), () => { element.close(); app.logout(); }, 'danger')));
  element.querySelector('.own').replaceWith(
    withButton(t('display-name'), name, t('save'), () => call().then(() => app.toast(t('saved')), shown(app)), t('display-name-hint')),
    withButton(t('away-message'), away, t('save'), () => client.ask('AWAY', away.value.trim() ? [away.value.trim()] : []).then(() => app.toast(t('saved')), shown(app)), t('away-hint')));
}

/** Where one is logged in; a token can be taken back, a device that is gone forgotten. */
async function listDevices(app, list) {
  const { client } = app;
  try {
    const { rows } = await client.listed('devices');
    const again = (words) => client.service(words).then(() => listDevices(app, list), shown(app));
    const kept = keep.session()?.device;
    list.replaceChildren(...rows.map(({ device, last_seen: last, token, sessions, this: now, mine = now || device === kept }) => h('li', {},
      h('span', {}, h('bdi', {}, plain(device || t('nameless'))), ' ', h('small', {}, mine ? t('this-device') : sessions ? t('online') : last ? moment(Date.parse(last)) : '—')),
      mine || !device ? null
        : token ? button(t('admin-revoke'), async () => (await sure(t('revoke-sure', { name: plain(device) }), { word: t('admin-revoke') })) !== null && again(`devices remove ${device}`), 'danger')
          : !sessions && button(t('forget'), () => again(`devices forget ${device}`)))));
    if (!rows.length) list.replaceChildren(h('li', { class: 'hint' }, t('no-devices')));
  } catch (error) {
    list.replaceChildren(h('li', { class: 'error' }, error.message || t('offline')));
  }
}

function passwordForm(app) {
  const secret = (name, autocomplete) => h('input', { name, type: 'password', autocomplete, required: true, maxlength: '150' });
  const old = secret('old', 'current-password');
  const fresh = secret('new', 'new-password');
  const repeat = secret('repeat', 'new-password');
  const problem = h('p', { class: 'error', role: 'alert' });
  const change = async (event) => {
    event.preventDefault();
    problem.textContent = fresh.value === repeat.value ? '' : t('not-the-same');
    if (problem.textContent) return;
    try {
      await app.changePassword(old.value, fresh.value);
      event.target.reset();
      app.toast(t('password-changed'));
    } catch (error) {
      problem.textContent = error.message || t('offline');
    }
  };
  return h('form', { onsubmit: change }, field(t('password-old'), old), field(t('password-new'), fresh), field(t('password-repeat'), repeat), problem,
    h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, t('change-password'))));
}

function withButton(label, control, word, act, hint = '') {
  const box = field(label, control, hint);
  const row = h('div', { class: 'beside' });
  control.replaceWith(row);
  row.append(control, button(word, act));
  return box;
}

export function addRoom(app) {
  const name = h('input', { required: true, maxlength: '64', placeholder: '#tea', autocapitalize: 'none', spellcheck: 'false', dir: 'auto' });
  const key = h('input', { autocomplete: 'off', maxlength: '64' });
  const problem = h('p', { class: 'error', role: 'alert' });
  const list = h('ul', { class: 'room-list' });
  const go = async (room, word) => {
    try {
      await app.client.join(room, word);
      element.close();
      app.show(app.roomNamed(room));
    } catch (error) {
      problem.textContent = error.message || t('offline');
    }
  };
  const element = open(t('add-room'),
    h('form', { onsubmit: (event) => { event.preventDefault(); const wish = name.value.trim(); go(wish.startsWith('#') ? wish : `#${wish}`, key.value); } },
      field(t('room-name'), name, t('room-name-hint')), field(t('room-key'), key), problem,
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, t('enter-or-create')))),
    h('h3', {}, t('open-rooms')), list);
  app.client.ask('LIST', [], { quiet: true }).then((lines) => {
    const rooms = lines.filter((line) => line.command === '322').slice(0, 300);
    rooms.sort((a, b) => Number(b.params[2]) - Number(a.params[2]) || a.params[1].localeCompare(b.params[1]));
    list.replaceChildren(...rooms.map(({ params }) => h('li', {}, h('button', { type: 'button', class: 'room-offer', onclick: () => go(params[1], key.value) },
      h('bdi', {}, plain(params[1])), h('span', { class: 'tag' }, t('members-count', { count: params[2] })), h('small', { dir: 'auto' }, plain(params[3] ?? ''))))));
    if (!rooms.length) list.replaceChildren(h('li', { class: 'hint' }, t('no-rooms')));
  }, () => {});
  name.focus();
}

export function addPerson(app) {
  const name = h('input', { required: true, maxlength: '64', autocapitalize: 'none', spellcheck: 'false' });
  const element = open(t('add-person'),
    h('form', { onsubmit: (event) => { event.preventDefault(); element.close(); app.show(app.client.talkTo(name.value.trim())); } },
      field(t('their-name'), name), h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, t('write')))));
  name.focus();
}

/** Whether `question` is meant. @returns {Promise<string|null>} the reason, if one is asked for; null: no */
export function sure(question, { word, reason = false, danger = true }) {
  return new Promise((resolve) => {
    let answer = null;
    const why = h('input', { maxlength: '200', dir: 'auto' });
    const element = open(question,
      h('form', { onsubmit: (event) => { event.preventDefault(); answer = why.value; element.close(); } },
        reason ? field(t('reason'), why) : null,
        h('div', { class: 'buttons' }, button(t('cancel'), () => element.close()), h('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, word))));
    element.addEventListener('close', () => resolve(answer));
  });
}

/** Asks for a text. @returns {Promise<string|null>} */
export function askFor(title, label, type = 'text') {
  return new Promise((resolve) => {
    let answer = null;
    const input = h('input', { type, required: true, autocomplete: type === 'password' ? 'current-password' : 'off' });
    const element = open(title,
      h('form', { onsubmit: (event) => { event.preventDefault(); answer = input.value; element.close(); } },
        field(label, input), h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, t('ok')))));
    element.addEventListener('close', () => resolve(answer));
    input.focus();
  });
}

export async function profile(app, nick) {
  const { room, client, state } = app;
  const member = room?.members.get(fold(nick));
  const operator = room && !room.direct && (rankOf(state, room).includes('@') || app.powers);
  const about = h('dl', { class: 'about' });
  const mode = (change) => client.ask('MODE', [room.name, change, nick]).then(() => element.close(), shown(app));
  const acts = [button(t('write-privately'), () => { element.close(); app.show(client.talkTo(nick)); }, 'primary')];
  if (member && operator) {
    const op = member.ranks.includes('@');
    const voice = member.ranks.includes('+');
    acts.push(button(t(op ? 'take-operator' : 'make-operator'), () => mode(op ? '-o' : '+o')));
    acts.push(button(t(voice ? 'take-voice' : 'give-voice'), () => mode(voice ? '-v' : '+v')));
    if (fold(nick) !== fold(state.me)) {
      acts.push(button(t('kick'), async () => {
        element.close();
        const why = await sure(t('kick-sure', { name: plain(nick), room: plain(room.name) }), { word: t('kick'), reason: true });
        if (why !== null) client.ask('KICK', why ? [room.name, nick, why] : [room.name, nick]).catch(shown(app));
      }, 'danger'));
      acts.push(button(t('mute'), () => client.ask('MODE', [room.name, '+q', `~a:${nick}`]).then(() => { element.close(); app.toast(t('saved')); }, shown(app))));
      acts.push(button(t('ban'), async () => {
        element.close();
        const why = await sure(t('ban-sure', { name: plain(nick), room: plain(room.name) }), { word: t('ban') });
        if (why === null) return;
        await client.ask('MODE', [room.name, '+b', `~a:${nick}`]).catch(shown(app));
        await client.ask('KICK', [room.name, nick]).catch(() => {});
      }, 'danger'));
    }
  }
  const element = open(plain(nick), h('div', { class: 'card' }, avatar(nick, 'large'), nameOf(nick)), about, h('div', { class: 'buttons' }, acts));
  try {
    const lines = await client.ask('WHOIS', [nick], { quiet: true, lenient: true });
    const row = (label, text) => text && about.append(h('dt', {}, label), h('dd', {}, h('bdi', {}, plain(text))));
    for (const { command, params } of lines) {
      if (command === '311') row(t('display-name'), fold(params.at(-1)) !== fold(nick) && params.at(-1));
      else if (command === '760' && params[2] !== 'display-name') row(params[2], params.at(-1));
      else if (command === '301') row(t('away'), params[2]);
      else if (command === '319') row(t('rooms'), params.at(-1).replace(/(^| )[@+]+/g, '$1'));
      else if (command === '317') row(t('here-since'), moment(Number(params[3]) * 1000));
      else if (command === '313') row(t('role'), t('administrator'));
      else if (command === '335') row(t('role'), t('bot'));
      else if (command === '401') row(t('status'), t('offline-person'));
    }
  } catch {
    // The card stands without it.
  }
}

const FLAGS = ['i', 'm', 'n', 's', 't'];
/** The lists of a room, and the number of the lines that tell what is in them. */
const LISTS = { b: '367', e: '348', I: '346', q: '728' };

/** A room: its topic for whoever may change it; the rest for its operators. */
export function roomSettings(app, room) {
  const { client, state } = app;
  if (room.direct) return profile(app, room.name);
  const operator = rankOf(state, room).includes('@') || app.powers;
  const topics = operator || !room.modes.has('t');
  const done = (promise) => promise.then(() => app.toast(t('saved')), shown(app));
  const mode = (...change) => done(client.ask('MODE', [room.name, ...change]));
  const topic = h('input', { value: room.topic, disabled: !topics, maxlength: '390', dir: 'auto' });
  const name = h('input', { value: room.name, disabled: !operator, maxlength: '64', dir: 'auto' });
  const key = h('input', { value: room.modes.get('k') ?? '', disabled: !operator, maxlength: '64', autocomplete: 'off' });
  const limit = h('input', { type: 'number', min: '1', value: room.modes.get('l') ?? '', disabled: !operator });
  const guest = h('input', { maxlength: '64', autocapitalize: 'none' });
  const bans = h('ul', { class: 'bans', 'aria-label': t('lists') });
  const which = h('select', { 'aria-label': t('lists'), onchange: () => list() }, Object.keys(LISTS).map((letter) => h('option', { value: letter }, t(`list-${letter}`))));
  const mask = h('input', { maxlength: '128', autocapitalize: 'none', spellcheck: 'false' });
  /** A name means that account; anything with a sign in it is a mask as it is. */
  const entered = () => (/[!@*?~]/.test(mask.value) ? mask.value.trim() : `~a:${mask.value.trim()}`);
  const put = () => mask.value.trim() && client.ask('MODE', [room.name, `+${which.value}`, entered()]).then(() => { mask.value = ''; list(); }, shown(app));
  const line = (label, control, word, act, may = true, hint = '') => (may ? withButton(label, control, word, act, hint) : field(label, control, hint));
  const element = open(plain(room.name),
    line(t('topic'), topic, t('save'), () => done(client.ask('TOPIC', [room.name, topic.value])), topics),
    operator ? line(t('rename'), name, t('rename-do'), () => done(client.ask('RENAME', [room.name, name.value.trim()]))) : null,
    h('h3', {}, t('rules')), operator ? null : h('p', { class: 'hint' }, t('operators-rule')),
    FLAGS.map((flag) => tick(t(`mode-${flag}`), room.modes.has(flag), (on) => mode((on ? '+' : '-') + flag), !operator)),
    operator ? line(t('room-key'), key, t('save'), () => (key.value ? mode('+k', key.value) : mode('-k', room.modes.get('k') || '*')), true, t('room-key-hint')) : null,
    operator ? line(t('limit'), limit, t('save'), () => (limit.value ? mode('+l', limit.value) : mode('-l'))) : null,
    line(t('invite'), guest, t('invite-do'), () => done(client.ask('INVITE', [guest.value.trim(), room.name]).then(() => { guest.value = ''; }))),
    h('h3', {}, t('lists')), which, bans,
    operator ? line(t('list-entry'), mask, t('add'), put, true, t('list-entry-hint')) : null,
    h('div', { class: 'buttons' }, button(t('leave'), () => { element.close(); client.part(room).catch(shown(app)); app.leave(room); }, 'danger')));
  const list = async () => {
    const letter = which.value;
    const lines = await client.ask('MODE', [room.name, letter], { quiet: true, lenient: true }).catch(() => []);
    if (letter !== which.value) return;
    const masks = lines.filter((each) => each.command === LISTS[letter]).map((each) => each.params[letter === 'q' ? 3 : 2]);
    bans.replaceChildren(...masks.map((each) => h('li', {}, h('code', {}, plain(each)), operator ? button(t('admin-remove'), () => client.ask('MODE', [room.name, `-${letter}`, each]).then(list, shown(app))) : null)));
    if (!masks.length) bans.replaceChildren(h('li', { class: 'hint' }, t('nobody')));
  };
  list();
  return undefined;
}
