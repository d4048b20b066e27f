// Where one writes: several lines, names completed, drafts kept for each room, commands that start with a slash.

import { h, iconButton } from './dom.js';
import { fold } from './irc.js';
import { t } from './i18n.js';
import * as keep from './keep.js';
import { person } from './state.js';
import { plain } from './text.js';
import { nameOf } from './view-message.js';
import { emojiList } from './emoji.js';

export class Composer {
  constructor(app) {
    this.app = app;
    this.input = h('textarea', {
      rows: '1', 'aria-label': t('message'), autocomplete: 'off', enterkeyhint: 'send', dir: 'auto',
      'aria-autocomplete': 'list', 'aria-haspopup': 'listbox', 'aria-controls': 'names',
      oninput: () => this.changed(), onkeydown: (event) => this.key(event), onblur: () => setTimeout(() => this.hideNames(), 150),
    });
    this.names = h('ul', { id: 'names', class: 'names', role: 'listbox', 'aria-label': t('names'), hidden: true });
    this.replying = h('div', { class: 'replying', hidden: true });
    this.error = h('p', { class: 'error', role: 'alert' });
    this.typing = h('p', { class: 'typing' });
    this.button = h('button', { type: 'submit', class: 'icon-button send', 'aria-label': t('send'), title: t('send') });
    this.button.append(...iconButton('send', '', null).children);
    this.emoji = iconButton('smile', t('emoji'), () => emojiList(this.emoji, (emoji) => this.insert(emoji)));
    this.element = h(
      'form',
      { class: 'composer', onsubmit: (event) => { event.preventDefault(); this.send(); } },
      this.names, this.replying, this.error,
      h('div', { class: 'write' }, this.input, this.emoji, this.button),
      this.typing,
    );
  }

  focus() {
    this.input.focus();
  }

  /** Shows the draft of the room that is open now. */
  render() {
    const { room } = this.app;
    if (room !== this.room) {
      this.room = room;
      if (room && !room.draft) room.draft = keep.draft(this.app.account, room.key);
      this.input.value = room?.draft ?? '';
      this.error.textContent = '';
      this.hideNames();
      this.grow();
    }
    this.input.disabled = !room;
    const name = room ? plain(room.name) : '';
    this.input.placeholder = room ? t('write-to', { name }) : '';
    const to = room?.replyTo && room.byId.get(room.replyTo);
    this.replying.hidden = !to;
    if (to) {
      this.replying.replaceChildren(
        h('span', {}, t('replying-to'), ' ', nameOf(to.nick), ' ', h('bdi', { class: 'excerpt' }, plain(to.text).slice(0, 120))),
        iconButton('close', t('cancel'), () => this.app.reply(null)),
      );
    }
    this.someoneTypes();
  }

  someoneTypes() {
    const { room } = this.app;
    const now = Date.now();
    const names = room ? [...room.typing].filter(([, until]) => until > now).map(([nick]) => plain(nick)) : [];
    let text = '';
    if (names.length === 1) text = t('types', { name: names[0] });
    else if (names.length && names.length < 4) text = t('type', { names: names.join(', ') });
    else if (names.length) text = t('many-type');
    if (this.typing.textContent !== text) this.typing.textContent = text;
    clearTimeout(this.typingTimer);
    if (names.length) this.typingTimer = setTimeout(() => this.someoneTypes(), 1_000);
  }

  changed() {
    const { room, client } = this.app;
    if (!room) return;
    room.draft = this.input.value;
    keep.keepDraft(this.app.account, room.key, room.draft);
    this.grow();
    this.error.textContent = '';
    const speaks = room.draft !== '' && !/^\/(?!me )/.test(room.draft);
    if (client.connection.phase === 'online') client.typing(room, speaks);
    const word = this.word();
    if (word.text.startsWith('@') && word.text.length > 1) this.offer(word);
    else this.hideNames();
  }

  grow() {
    const { input } = this;
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight + 2, window.innerHeight * 0.4)}px`;
  }

  insert(text) {
    const { input } = this;
    input.setRangeText(text, input.selectionStart, input.selectionEnd, 'end');
    this.changed();
    input.focus();
  }

  // --- names ---

  /** The word before the caret. */
  word() {
    const { input } = this;
    const before = input.value.slice(0, input.selectionStart);
    const from = Math.max(before.lastIndexOf(' '), before.lastIndexOf('\n')) + 1;
    return { from, to: input.selectionStart, text: before.slice(from) };
  }

  candidates(start) {
    const { room, state } = this.app;
    const wanted = fold(start.replace(/^@/, ''));
    const spoke = new Map();
    for (const item of room.items.slice(-300)) if (item.nick) spoke.set(fold(item.nick), [item.time, item.nick]);
    const nicks = new Map([...spoke].map(([key, [, nick]]) => [key, nick]));
    for (const [key, { nick }] of room.members) nicks.set(key, nick);
    if (room.direct) nicks.set(room.key, room.name);
    nicks.delete(fold(state.me));
    const found = [...nicks].filter(([key]) => key.startsWith(wanted));
    found.sort(([a], [b]) => (spoke.get(b)?.[0] ?? 0) - (spoke.get(a)?.[0] ?? 0) || a.localeCompare(b));
    return found.slice(0, 8).map(([, nick]) => nick);
  }

  offer(word) {
    const nicks = this.candidates(word.text);
    if (!nicks.length) return this.hideNames();
    this.chosen = 0;
    this.at = word;
    this.names.replaceChildren(...nicks.map((nick, at) => h(
      'li',
      { role: 'option', id: `name-${at}`, onmousedown: (event) => { event.preventDefault(); this.complete(nick); } },
      nameOf(nick), h('small', {}, plain(person(this.app.state, nick).realname)))));
    this.offered = nicks;
    this.names.hidden = false;
    this.mark();
    return undefined;
  }

  mark() {
    [...this.names.children].forEach((option, at) => option.setAttribute('aria-selected', String(at === this.chosen)));
    this.input.setAttribute('aria-activedescendant', `name-${this.chosen}`);
  }

  complete(nick) {
    const { input, at } = this;
    const tail = at.from === 0 ? ': ' : ' ';
    input.setRangeText(nick + tail, at.from, input.selectionStart, 'end');
    this.hideNames();
    this.changed();
    input.focus();
  }

  hideNames() {
    this.names.hidden = true;
    this.offered = [];
    this.input.removeAttribute('aria-activedescendant');
  }

  // --- keys ---

  key(event) {
    // An input method is putting a character together; its Enter is not ours.
    if (event.isComposing || event.keyCode === 229) return;
    const { app, input } = this;
    const open = !this.names.hidden;
    const alone = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    const done = () => event.preventDefault();
    if (open && alone && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      this.chosen = (this.chosen + (event.key === 'ArrowDown' ? 1 : -1) + this.offered.length) % this.offered.length;
      this.mark();
      done();
    } else if (open && alone && (event.key === 'Enter' || event.key === 'Tab')) {
      this.complete(this.offered[this.chosen]);
      done();
    } else if (event.key === 'Escape') {
      if (open) this.hideNames();
      else if (app.room?.replyTo) app.reply(null);
      else app.timeline.toPresent();
      done();
    } else if (event.key === 'Enter' && alone) {
      this.send();
      done();
    } else if (event.key === 'Tab' && alone) {
      const word = this.word();
      const nicks = word.text ? this.candidates(word.text) : [];
      if (!nicks.length) return;
      this.offer(word);
      if (nicks.length === 1) this.complete(nicks[0]);
      done();
    } else if (event.key === 'ArrowUp' && alone && input.value === '') {
      const { list } = app.timeline;
      list.lastElementChild?.focus();
      done();
    } else if (event.key === 'PageUp' || event.key === 'PageDown') {
      const { scroller } = app.timeline;
      scroller.scrollBy({ top: (event.key === 'PageUp' ? -0.9 : 0.9) * scroller.clientHeight });
      done();
    } else if (event.key === '?' && alone && input.value === '') return;
  }

  send() {
    const { app, input } = this;
    const { room } = app;
    const text = input.value.replace(/\s+$/, '');
    if (!room || !text.trim()) return;
    const problem = text.startsWith('/') && !text.startsWith('//') ? this.command(text.slice(1)) : this.speak(text.replace(/^\/\//, '/'));
    if (problem) {
      this.error.textContent = problem;
      return;
    }
    input.value = '';
    room.draft = '';
    keep.keepDraft(app.account, room.key, '');
    this.grow();
    this.hideNames();
    app.client.typing(room, false);
    app.timeline.toPresent();
    app.touch('rooms');
  }

  speak(text, action = false) {
    const { app } = this;
    const wrong = app.client.say(app.room, text, { replyTo: app.room.replyTo, action });
    if (wrong) return t(wrong, app.client.multiline());
    app.room.replyTo = '';
    this.render();
    return '';
  }

  command(line) {
    const { app } = this;
    const { client, room } = app;
    const [, name, rest] = /^(\S*)\s*([\s\S]*)$/.exec(line);
    const [first = '', ...more] = rest.split(' ');
    const attempt = (promise) => {
      promise.catch((error) => app.toast(error.message || t('offline')));
      return '';
    };
    switch (name.toLowerCase()) {
      case 'me':
        return rest ? this.speak(rest, true) : t('needs-words', { command: '/me' });
      case 'join':
        return first ? attempt(client.join(first.startsWith('#') ? first : `#${first}`, more[0])) : t('needs-words', { command: '/join' });
      case 'part':
      case 'leave':
        return attempt(client.part(room));
      case 'msg':
      case 'query': {
        if (!first) return t('needs-words', { command: '/msg' });
        app.show(client.talkTo(first));
        if (more.length) client.say(app.room, more.join(' '));
        return '';
      }
      case 'topic':
        return attempt(client.ask('TOPIC', [room.name, rest]));
      case 'away':
        return attempt(client.ask('AWAY', rest ? [rest] : []));
      case 'invite':
        return attempt(client.ask('INVITE', [first, room.name]));
      case 'kick':
        return attempt(client.ask('KICK', more.length ? [room.name, first, more.join(' ')] : [room.name, first]));
      case 'oper':
        return attempt(app.empower(first, more.join(' ')));
      case 'help':
        app.help();
        return '';
      default:
        return t('unknown-command', { command: plain(`/${name}`) });
    }
  }
}

