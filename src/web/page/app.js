// The page itself: puts the parts together, and lets them look again when something has changed.
// Owns the session (who is logged in) and what is shown; everything else is in the modules it names.

import { admin } from './admin.js';
import { Client } from './client.js';
import { Composer } from './composer.js';
import { h } from './dom.js';
import { emojiList } from './emoji.js';
import { around, latest } from './history.js';
import { choose, speak, t } from './i18n.js';
import { fold } from './irc.js';
import * as keep from './keep.js';
import * as notify from './notify.js';
import { forget, listed, rankOf, roomOf, totals } from './state.js';
import { plain } from './text.js';
import * as dialogs from './view-dialogs.js';
import { Header } from './view-header.js';
import { loginView, waitingView } from './view-login.js';
import { spoken } from './view-message.js';
import { newcomerView } from './view-newcomer.js';
import { Rooms } from './view-rooms.js';
import { Side } from './view-side.js';
import { Timeline } from './view-timeline.js';

class App {
  powers = false;
  mayAdminister = false;
  secret = null;

  get state() {
    return this.client.state;
  }

  get room() {
    return this.state.rooms.get(this.state.active) ?? null;
  }

  roomNamed(name) {
    return roomOf(this.state, name);
  }

  // --- coming and going ---

  start() {
    this.theme();
    this.announcer = h('div', { class: 'announcer', 'aria-live': 'polite' });
    this.toasts = h('div', { class: 'toasts', role: 'status' });
    this.root = document.getElementById('app');
    document.body.append(this.announcer, this.toasts);
    document.addEventListener('keydown', (event) => this.key(event));
    document.addEventListener('visibilitychange', () => this.seen());
    addEventListener('focus', () => this.seen());
    addEventListener('online', () => this.client?.connection.retryNow());
    const session = keep.session();
    if (session) this.enter(session.account, session.token);
    else this.door({});
  }

  door(now) {
    document.title = t('log-in');
    this.element = null;
    this.waiting = null;
    this.root.replaceChildren(loginView(this, now));
  }

  get address() {
    return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/irc`;
  }

  /** The way to an account of one's own, if the server has one. */
  newcomer() {
    this.root.replaceChildren(newcomerView(this));
  }

  login(account, password, stay) {
    this.stay = stay;
    this.byPassword = true;
    this.enter(account, password);
  }

  enter(account, secret) {
    this.account = account;
    this.secret = secret;
    // Slow lines are slow: until the first room is there, this says what is going on.
    this.element = null;
    this.waiting = waitingView(this);
    this.root.replaceChildren(this.waiting.element);
    this.client = new Client({
      url: this.address,
      login: () => ({ account: this.account, secret: this.secret }),
      changed: () => this.schedule(),
      phase: (phase) => this.phase(phase),
      refused: (code, text) => this.refused(code, text),
      notice: (text) => this.toast(text),
      ready: () => this.render(),
      wish: () => keep.lastRoom(),
      unsent: () => keep.keepUnsent(this.account, this.client.unsent()),
    });
    this.client.restore(keep.unsent(account));
    this.client.state.showPresence = keep.liked().presence;
    this.client.connection.open();
  }

  refused(code, text) {
    // A token that no longer counts leads to the door; so does a password that was changed meanwhile.
    keep.forgetSession();
    const words = code === 'credentials' ? t('wrong-login') : text;
    this.door({ account: this.account, error: words });
  }

  async phase(phase) {
    this.waiting?.show(phase);
    if (phase === 'online') {
      this.tried = null;
      if (!this.element) this.build();
      this.powers = false;
      if (!keep.session() && this.stay) this.remember();
      this.client.service('whoami').then((lines) => {
        this.mayAdminister = lines.some((line) => line.includes('administrator'));
        this.touch('rooms');
      }, () => {});
    }
    this.header?.connection(phase);
    this.touch('me').touch('rooms');
  }

  /** The password opened the door once; from now on a token of this device does. */
  async remember() {
    const device = keep.deviceName(navigator.userAgent, crypto.getRandomValues(new Uint8Array(3)));
    try {
      const [{ token }] = await this.client.told(`devices add ${device}`);
      keep.keepSession({ account: this.account, token, device });
      this.secret = token;
    } catch {
      // It works without; the next visit asks for the password again.
    }
  }

  /** Another password: the token goes with the old one, unless it is what opened the door. */
  async changePassword(old, fresh) {
    const word = (text) => `"${text.replace(/[\\"]/g, '\\$&')}"`;
    await this.client.told(`passwd ${word(old)} ${word(fresh)}`);
    if (!this.byPassword) return;
    const stayed = keep.session();
    keep.forgetSession();
    this.secret = fresh;
    if (stayed) await this.remember();
  }

  async logout() {
    const session = keep.session();
    keep.forgetSession();
    keep.forgetTab();
    if (session) await this.client.service(`devices remove ${session.device}`).catch(() => {});
    this.client.connection.close('logged out');
    location.reload();
  }

  // --- building and looking again ---

  build() {
    this.rooms = new Rooms(this);
    this.composer = new Composer(this);
    this.timeline = new Timeline(this);
    this.side = new Side(this);
    this.header = new Header(this);
    const talk = h('main', { class: 'talk-pane', 'aria-label': t('conversation') }, this.header.element, this.header.banner, this.timeline.element, this.composer.element);
    this.element = h('div', { class: 'app' }, this.rooms.element, talk, this.side.element);
    this.element.dataset.pane = 'rooms';
    this.root.replaceChildren(this.element);
    this.waiting = null;
    if (matchMedia('(min-width: 1100px)').matches) this.side.show('members');
  }

  touch(...what) {
    for (const part of what) this.client.state.touched.add(part);
    this.schedule();
    return this;
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    // A page that is hidden is given no frames, but its title and its notifications go on.
    const draw = () => {
      this.scheduled = false;
      this.render();
    };
    if (document.hidden) setTimeout(draw, 50);
    else requestAnimationFrame(draw);
  }

  render() {
    if (!this.element) return;
    const { state } = this;
    this.greetNews();
    if (!this.room) this.chooseRoom();
    const touched = new Set(state.touched);
    state.touched.clear();
    const has = (...parts) => parts.some((part) => touched.has(part));
    if (has('rooms', 'me')) this.rooms.render();
    if (has('header', 'me', 'members')) this.header.render();
    if (has('timeline')) this.timeline.render();
    if (has('timeline', 'header', 'typing', 'me')) this.composer.render();
    if (has('members', 'header')) this.side.render();
    if (has('rooms', 'me')) notify.badge(this.room, state.network, totals(state));
    if (has('timeline')) {
      this.seen();
      this.keepUnsent();
    }
  }

  /** What has been confirmed need not be kept. */
  keepUnsent() {
    const list = this.client.unsent();
    if (list.length === 0 && !this.kept) return;
    this.kept = list.length;
    keep.keepUnsent(this.account, list);
  }

  /** The first look: the room of the last visit, else the first of all, when it is known what is unread in it. */
  chooseRoom() {
    const { ready } = this.client;
    const { rooms, direct } = listed(this.state);
    const last = roomOf(this.state, keep.lastRoom());
    const room = last?.synced ? last : ready ? last ?? rooms[0] ?? direct[0] : null;
    if (!room) return;
    if (room.live || !room.synced || this.tried === room) this.show(room, false);
    else if (!room.loading) {
      // Whatever comes of it, then the room is shown.
      this.tried = room;
      this.client.fill(room);
    }
  }

  greetNews() {
    const { state } = this;
    for (const { room, item, invitation } of state.news.splice(0)) {
      if (invitation) {
        this.greetInvitation(invitation);
        continue;
      }
      const here = room.key === state.active;
      if (here && !document.hidden) this.announcer.textContent = spoken(item);
      const watched = here && document.hasFocus() && !document.hidden;
      if ((item.mention || room.direct) && !watched && keep.liked().notify) notify.show({ room, item }, () => this.show(room));
    }
  }

  greetInvitation({ room, by }) {
    const text = t('invited', { who: plain(by), room: plain(room) });
    this.announcer.textContent = text;
    this.toast(text, h('button', { type: 'button', onclick: () => this.accept(room) }, t('enter-or-create')));
    if (keep.liked().notify && (document.hidden || !document.hasFocus())) notify.say(text, room, () => this.accept(room));
  }

  accept(room) {
    this.client.join(room).then(() => this.show(this.roomNamed(room)), (error) => this.toast(error.message || t('offline')));
  }

  /** Whoever invited is not told; the invitation itself stays with the server. */
  decline(room) {
    this.state.invitations.delete(fold(room));
    this.touch('rooms');
  }

  // --- what people do ---

  show(room, focus = true) {
    if (!room) return;
    const before = this.room;
    if (before && before !== room) {
      before.lineAt = 0;
      this.seen();
    }
    keep.keepRoom(room.name);
    this.client.look(room);
    if (focus) {
      this.pane('talk');
      if (matchMedia('(pointer: fine)').matches) this.composer.focus();
    }
    this.touch('rooms', 'timeline', 'header', 'members', 'typing');
  }

  /** On a phone one pane is shown at a time. */
  pane(which) {
    this.element.dataset.pane = which;
    if (which === 'rooms') this.side.show('');
  }

  /** The newest has been on the screen, before somebody's eyes. */
  seen() {
    const { room } = this.element ? this : {};
    const looking = () => this.room === room && !document.hidden && document.hasFocus() && this.timeline.pinned;
    if (!room || !looking()) return;
    if (matchMedia('(max-width: 720px)').matches && this.element.dataset.pane !== 'talk') return;
    clearTimeout(this.seenTimer);
    // Who looks away meanwhile has not seen what comes after.
    this.seenTimer = setTimeout(() => looking() && this.client.markRead(room), 300);
  }

  present(room) {
    room.lineAt = 0;
    latest(this.client, room, true).catch(() => {});
  }

  leave(room) {
    if (this.state.active === room.key) this.state.active = '';
    this.touch('rooms', 'timeline', 'header', 'members');
  }

  /** Goes to a message: loaded, or to be fetched with what stands around it. */
  async goTo(where, id) {
    const room = roomOf(this.state, where) ?? this.client.talkTo(where);
    this.show(room, false);
    this.pane('talk');
    await this.jump(room, id);
  }

  async jump(room, id) {
    if (!room.byId.has(id)) {
      try {
        await around(this.client, room, id);
      } catch (error) {
        this.toast(error.message || t('offline'));
        if (!room.items.length) this.present(room);
        return;
      }
    }
    if (!room.byId.has(id)) return;
    if (this.timeline.room !== room) this.timeline.render();
    this.timeline.target = id;
    this.timeline.render();
  }

  reply(item) {
    if (!this.room) return;
    this.room.replyTo = item?.id ?? '';
    this.composer.render();
    this.composer.focus();
  }

  pickReaction(item, element) {
    const { room } = this;
    emojiList(element.querySelector('.tools') ?? element, (emoji) => this.client.react(room, item, emoji));
  }

  mayRedact(room, item) {
    return item.mine || (!room.direct && (this.powers || rankOf(this.state, room).includes('@')));
  }

  async redact(item) {
    const { room } = this;
    if (!this.mayRedact(room, item) || item.redacted) return;
    const why = await dialogs.sure(t('take-back-sure'), { word: t('take-back'), reason: true });
    if (why !== null) this.client.redact(room, item, why).catch((error) => this.toast(error.message || t('offline')));
  }

  discard(room, item) {
    this.client.discard(room, item);
  }

  async empower(account, password) {
    await this.client.ask('OPER', [account, password]);
    this.powers = true;
    this.toast(t('powers-given'));
  }

  async administer() {
    if (!this.powers) {
      const password = await dialogs.askFor(t('administration'), t('password-again'), 'password');
      if (password === null) return;
      try {
        await this.empower(this.account, password);
      } catch (error) {
        this.toast(error.message || t('offline'));
        return;
      }
    }
    admin(this);
  }

  presence(on) {
    this.state.showPresence = on;
    for (const room of this.state.rooms.values()) if (room !== this.room) forget(room), (room.live = false);
    if (this.room) this.present(this.room);
  }

  profile(nick) {
    dialogs.profile(this, nick);
  }

  roomSettings(room) {
    dialogs.roomSettings(this, room);
  }

  addRoom() {
    dialogs.addRoom(this);
  }

  addPerson() {
    dialogs.addPerson(this);
  }

  settings() {
    dialogs.settings(this);
  }

  help() {
    dialogs.help();
  }

  theme() {
    document.documentElement.dataset.theme = keep.liked().theme;
  }

  toast(text, act = null) {
    if (!text) return;
    const toast = h('div', { class: 'toast' }, h('bdi', {}, plain(text)), act);
    act?.addEventListener('click', () => toast.remove());
    this.toasts.append(toast);
    while (this.toasts.children.length > 4) this.toasts.firstChild.remove();
    setTimeout(() => toast.remove(), act ? 20_000 : 7_000);
  }

  key(event) {
    if (!this.element || event.isComposing || document.querySelector('dialog[open]')) return;
    const control = event.ctrlKey || event.metaKey;
    const typing = event.target.closest?.('input,textarea,select');
    const empty = typing && typing === this.composer.input && !typing.value;
    const act = () => {
      if (event.altKey && !control && event.key === 'ArrowUp') return () => this.rooms.step(-1, event.shiftKey);
      if (event.altKey && !control && event.key === 'ArrowDown') return () => this.rooms.step(1, event.shiftKey);
      if (control && !event.shiftKey && event.key.toLowerCase() === 'k') return () => { this.pane('rooms'); this.rooms.filter.focus(); };
      if (control && event.shiftKey && event.key.toLowerCase() === 'f') return () => this.side.show('search');
      if (event.key === '?' && !control && (!typing || empty)) return () => this.help();
      return null;
    };
    const found = act();
    if (!found) return;
    event.preventDefault();
    found();
  }
}

speak(keep.liked().language || choose(navigator.languages));
new App().start();
