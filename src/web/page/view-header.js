// Above the conversation: the room's name and topic, and the way to members, search and settings; a line when the
// connection is down.

import { h, iconButton } from './dom.js';
import { t } from './i18n.js';
import { knownAs, person } from './state.js';
import { pieces, plain } from './text.js';

export class Header {
  constructor(app) {
    this.app = app;
    this.name = h('h2', { tabindex: '-1' });
    this.topic = h('p', { class: 'topic', dir: 'auto' });
    this.back = iconButton('back', t('back-to-list'), () => app.pane('rooms'), { class: 'icon-button back' });
    this.members = iconButton('people', t('members'), () => app.side.toggle('members'));
    this.search = iconButton('search', t('search'), () => app.side.toggle('search'));
    this.gear = iconButton('gear', t('room-settings'), () => app.room && app.roomSettings(app.room));
    this.element = h('header', { class: 'room-header' }, this.back, h('div', { class: 'room-words' }, this.name, this.topic), this.search, this.members, this.gear);
    this.banner = h('div', { class: 'banner', role: 'status', hidden: true });
  }

  render() {
    const { app } = this;
    const { room, side } = app;
    this.name.replaceChildren(h('bdi', {}, room ? plain(room.name) : ''));
    const text = room?.direct ? this.about(room) : room?.topic ?? '';
    if (this.topic.dataset.text !== text) {
      this.topic.dataset.text = text;
      this.topic.title = plain(text);
      this.topic.replaceChildren(...pieces(text).map((piece) =>
        piece.kind === 'link' ? h('a', { href: piece.href, target: '_blank', rel: 'noopener noreferrer' }, piece.text) : piece.text));
    }
    this.members.hidden = !room || room.direct;
    this.gear.hidden = !room;
    this.members.setAttribute('aria-pressed', String(side.shown === 'members'));
    this.search.setAttribute('aria-pressed', String(side.shown === 'search'));
  }

  about(room) {
    const { online, away } = person(this.app.state, room.name);
    const status = online ? (away === null ? t('online') : away ? `${t('away')}: ${away}` : t('away')) : t('offline-person');
    return [knownAs(this.app.state, room.name), status].filter(Boolean).join(' · ');
  }

  /** @param {string} phase */
  connection(phase) {
    const { connection } = this.app.client;
    clearTimeout(this.timer);
    const { banner } = this;
    const down = phase === 'waiting' || ((phase === 'connecting' || phase === 'registering') && connection.attempt > 0);
    banner.hidden = !down;
    if (!down) return;
    const seconds = Math.max(0, Math.ceil((connection.retryAt - Date.now()) / 1000));
    const words = phase === 'waiting' && seconds > 0 ? t('reconnect-in', { seconds }) : t('reconnecting');
    banner.replaceChildren(h('span', {}, words), h('button', { type: 'button', onclick: () => connection.retryNow() }, t('now')));
    if (phase === 'waiting') this.timer = setTimeout(() => this.connection(connection.phase), 1000);
  }
}
