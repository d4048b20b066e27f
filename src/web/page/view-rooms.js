// The list at the side: rooms and people, what is unread in them, and the way between them.

import { h, icon, iconButton, reconcile, unseen } from './dom.js';
import { t } from './i18n.js';
import { knownAs, listed, person } from './state.js';
import { plain } from './text.js';
import { avatar } from './view-message.js';

export class Rooms {
  constructor(app) {
    this.app = app;
    this.filter = h('input', { type: 'search', class: 'filter', placeholder: t('find-room'), 'aria-label': t('find-room'), autocomplete: 'off', oninput: () => this.render(), onkeydown: (event) => this.key(event) });
    this.title = h('h1', { class: 'network' });
    this.rooms = h('ul', {});
    this.direct = h('ul', {});
    this.nobody = h('p', { class: 'hint nobody' }, t('no-people'));
    this.invitations = h('ul', { class: 'invitations', 'aria-label': t('invitations') });
    this.me = h('button', { type: 'button', class: 'me', onclick: () => app.settings() });
    this.admin = iconButton('shield', t('administration'), () => app.administer(), { hidden: true });
    this.element = h(
      'nav',
      { class: 'rooms-pane', 'aria-label': t('rooms-and-people') },
      h('header', {}, this.title, this.admin, iconButton('help', t('help'), () => app.help())),
      this.filter,
      h('div', { class: 'lists' },
        this.invitations,
        this.section(t('rooms'), this.rooms, t('add-room'), () => app.addRoom()),
        this.section(t('people'), this.direct, t('add-person'), () => app.addPerson()), this.nobody),
      h('footer', {}, this.me),
    );
  }

  section(title, list, label, add) {
    const id = `list-${title}`;
    list.setAttribute('aria-labelledby', id);
    return h('section', {}, h('div', { class: 'section-head' }, h('h2', { id }, title), iconButton('plus', label, add)), list);
  }

  /** The rooms in the order in which they are shown. */
  get order() {
    const { rooms, direct } = listed(this.app.state);
    const wanted = this.filter.value.trim().toLowerCase();
    const fits = (room) => !wanted || room.key.includes(wanted);
    return { rooms: rooms.filter(fits), direct: direct.filter(fits) };
  }

  render() {
    const { app } = this;
    const { rooms, direct } = this.order;
    const sign = (room) =>
      [room.name, room.key === app.state.active, room.unread, room.mentions, room.joined, room.direct && this.status(room), Boolean(room.draft)].join('|');
    const make = (room) => this.entry(room);
    reconcile(this.rooms, rooms, (room) => room.key, sign, make);
    reconcile(this.direct, direct, (room) => room.key, sign, make);
    reconcile(this.invitations, [...app.state.invitations.values()], ({ room }) => room, ({ by }) => by, (each) => this.invitation(each));
    this.nobody.hidden = direct.length > 0 || this.filter.value !== '';
    this.invitations.hidden = !app.state.invitations.size;
    this.title.textContent = plain(app.state.network || 'chatd');
    this.admin.hidden = !app.mayAdminister;
    this.mine();
  }

  invitation({ room, by }) {
    const words = by ? t('invited', { who: plain(by), room: plain(room) }) : t('invited-somebody', { room: plain(room) });
    return h('li', {}, h('p', {}, words), h('div', { class: 'beside' },
      h('button', { type: 'button', class: 'primary', onclick: () => this.app.accept(room) }, t('enter-or-create')),
      h('button', { type: 'button', onclick: () => this.app.decline(room) }, t('not-now'))));
  }

  mine() {
    const { state } = this.app;
    const called = plain(knownAs(state, state.me));
    const sign = `${state.me}|${called}|${person(state, state.me).away}|${this.app.client.connection.phase}`;
    if (this.me.dataset.sign === sign) return;
    this.me.dataset.sign = sign;
    const away = person(state, state.me).away !== null;
    const status = this.app.client.connection.phase === 'online' ? t(away ? 'away' : 'online') : t('offline');
    this.me.replaceChildren(avatar(state.me), h('span', { class: 'me-words' }, h('bdi', {}, plain(state.me)), h('small', {}, h('bdi', {}, called), called && ' · ', status)), icon('gear'), unseen(`, ${t('settings')}`));
  }

  status(room) {
    const someone = person(this.app.state, room.name);
    if (!someone.online) return 'offline';
    return someone.away === null ? 'online' : 'away';
  }

  entry(room) {
    const { app } = this;
    const current = room.key === app.state.active;
    const count = room.unread ? h('span', { class: room.mentions ? 'count loud' : 'count', 'aria-hidden': 'true' }, room.unread > 99 ? '99+' : String(room.unread)) : null;
    const status = room.direct && this.status(room);
    const words = [status && t(status === 'offline' ? 'offline-person' : status), room.unread && t('unread-count', { count: room.unread })];
    const mark = room.direct
      ? h('span', { class: 'with-dot' }, avatar(room.name, 'small'), h('span', { class: `dot ${status}` }))
      : h('span', { class: 'hash', 'aria-hidden': 'true' }, '#');
    const name = room.direct ? room.name : room.name.slice(1);
    const classes = ['room', room.unread && 'unread', room.mentions && 'mentioned', !room.joined && 'left'];
    return h('li', {}, h(
      'button',
      { type: 'button', class: classes.filter(Boolean).join(' '), 'aria-current': current ? 'true' : null, onclick: () => this.choose(room) },
      mark, h('bdi', { class: 'room-name' }, plain(name)), room.draft && !current ? h('span', { class: 'draft', 'aria-hidden': 'true' }, '✎') : null, count,
      unseen(words.filter(Boolean).map((word) => `, ${word}`).join(''))));
  }

  choose(room) {
    this.filter.value = '';
    this.app.show(room);
  }

  key(event) {
    const { rooms, direct } = this.order;
    if (event.key === 'Enter') {
      const best = [...rooms, ...direct][0];
      if (best) this.choose(best);
      event.preventDefault();
    } else if (event.key === 'Escape') {
      this.filter.value = '';
      this.render();
      this.app.composer.focus();
    } else if (event.key === 'ArrowDown') {
      this.element.querySelector('.room')?.focus();
      event.preventDefault();
    }
  }

  /** The next room up or down the list, or the next with something unread. */
  step(by, unread = false) {
    const { rooms, direct } = listed(this.app.state);
    const all = [...rooms, ...direct];
    const from = all.findIndex((room) => room.key === this.app.state.active);
    for (let n = 1; n <= all.length; n++) {
      const room = all[(from + by * n + all.length * n) % all.length];
      if (!unread || room.unread) return this.app.show(room);
    }
    return undefined;
  }
}
