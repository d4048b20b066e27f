// The pane at the right: who is in the room, or a search and what it found.

import { h, iconButton, reconcile, unseen } from './dom.js';
import { fold, isRoom } from './irc.js';
import { moment, t } from './i18n.js';
import { knownAs, person } from './state.js';
import { plain, unstyled } from './text.js';
import { avatar, nameOf } from './view-message.js';

/** Members that are shown; who looks for somebody types a part of the name. */
const MEMBERS_MAX = 200;
const HITS = 30;

export class Side {
  /** @type {''|'members'|'search'} */
  shown = '';

  constructor(app) {
    this.app = app;
    this.title = h('h2', {});
    this.body = h('div', { class: 'side-body' });
    this.element = h('aside', { class: 'side-pane', hidden: true, 'aria-label': t('details') },
      h('header', {}, this.title, iconButton('close', t('close'), () => this.show(''))), this.body);
    this.members = h('ul', { class: 'members' });
    this.more = h('p', { class: 'hint' });
    this.find = h('input', { type: 'search', placeholder: t('find-member'), 'aria-label': t('find-member'), oninput: () => this.people() });
    this.words = h('input', { type: 'search', placeholder: t('search-words'), 'aria-label': t('search-words'), enterkeyhint: 'search' });
    this.here = h('select', { 'aria-label': t('search-where') }, h('option', { value: 'here' }), h('option', { value: '' }, t('everywhere')));
    this.hits = h('ul', { class: 'hits' });
    this.found = h('p', { class: 'hint', role: 'status' });
    this.olderHits = h('button', { type: 'button', hidden: true, onclick: () => this.search(true) }, t('older-hits'));
    this.form = h('form', { class: 'search-form', role: 'search', onsubmit: (event) => { event.preventDefault(); this.search(false); } },
      this.words, this.here, h('button', { type: 'submit', class: 'primary' }, t('search')));
  }

  /** @param {''|'members'|'search'} what */
  show(what) {
    this.shown = what;
    this.element.hidden = !what;
    this.app.element.dataset.side = what;
    this.render();
    if (what === 'search') {
      this.words.focus();
      this.words.select();
    }
    if (!what) this.app.composer.focus();
    this.app.touch('header');
  }

  toggle(what) {
    this.show(this.shown === what ? '' : what);
  }

  render() {
    if (!this.shown) return;
    const { room } = this.app;
    if (this.shown === 'members') {
      this.title.textContent = t('members');
      if (this.body.firstElementChild !== this.find) this.body.replaceChildren(this.find, this.members, this.more);
      this.people();
    } else {
      this.title.textContent = t('search');
      if (this.body.firstElementChild !== this.form) this.body.replaceChildren(this.form, this.found, this.hits, this.olderHits);
      this.here.options[0].textContent = room ? t('only-in', { name: plain(room.name) }) : '';
    }
  }

  people() {
    const { app } = this;
    const { room, state } = app;
    const wanted = fold(this.find.value.trim());
    const order = (member) => (member.ranks.includes('@') ? 0 : member.ranks.includes('+') ? 1 : 2);
    const everybody = [...(room?.members.values() ?? [])].filter((member) => fold(member.nick).includes(wanted));
    everybody.sort((a, b) => order(a) - order(b) || a.nick.localeCompare(b.nick));
    const shown = everybody.slice(0, MEMBERS_MAX);
    const sign = ({ nick, ranks }) => {
      const { away, bot } = person(state, nick);
      return `${nick}|${ranks}|${away}|${knownAs(state, nick)}|${bot}`;
    };
    reconcile(this.members, shown, (member) => fold(member.nick), sign, (member) => this.member(member));
    this.more.textContent = everybody.length > shown.length ? t('more-members', { count: everybody.length - shown.length }) : '';
  }

  member({ nick, ranks }) {
    const { away, bot } = person(this.app.state, nick);
    const called = knownAs(this.app.state, nick);
    const rank = ranks.includes('@') ? t('operator') : ranks.includes('+') ? t('voiced') : '';
    const status = away === null ? 'online' : 'away';
    return h('li', {}, h('button', { type: 'button', class: `member ${status}`, onclick: () => this.app.profile(nick) },
      h('span', { class: 'with-dot' }, avatar(nick, 'small'), h('span', { class: `dot ${status}` })),
      h('span', { class: 'member-words' }, nameOf(nick), called && h('small', {}, h('bdi', {}, plain(called)))),
      bot ? h('span', { class: 'tag' }, t('bot')) : null,
      rank ? h('span', { class: 'tag' }, rank) : null,
      away === null ? null : unseen(`, ${t('away')}`)));
  }

  // --- search ---

  async search(further) {
    const { app } = this;
    const text = this.words.value.trim();
    if (!text) return;
    if (!further) {
      this.hits.replaceChildren();
      this.oldest = '';
    }
    this.found.textContent = t('searching');
    const within = this.here.value ? app.room?.name : '';
    try {
      const lines = await app.client.search({ text, in: within, limit: HITS, 'chatd/older-than': further ? this.oldest : '' });
      const told = lines.filter((line) => line.command === 'PRIVMSG' || line.command === 'NOTICE');
      // The newest first, as one looks for them.
      for (const line of told.reverse()) this.hits.append(this.hit(line, text));
      this.oldest = told.at(-1)?.tags.msgid ?? this.oldest;
      this.olderHits.hidden = told.length < HITS;
      const count = this.hits.children.length;
      this.found.textContent = count ? t('found', { count }) : t('found-nothing');
    } catch (error) {
      this.found.textContent = error.message || t('offline');
    }
  }

  hit(line, words) {
    const { app } = this;
    const [target, text = ''] = line.params;
    const where = isRoom(target) || fold(line.nick) === fold(app.state.me) ? target : line.nick;
    const marked = h('span', { class: 'hit-text', dir: 'auto' });
    let rest = plain(unstyled(text)).slice(0, 300);
    const pattern = new RegExp(words.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'iu');
    for (let found = pattern.exec(rest); found && found[0]; found = pattern.exec(rest)) {
      marked.append(rest.slice(0, found.index), h('mark', {}, found[0]));
      rest = rest.slice(found.index + found[0].length);
    }
    marked.append(rest);
    const time = Date.parse(line.tags.time) || 0;
    return h('li', {}, h('button', { type: 'button', class: 'hit', onclick: () => app.goTo(where, line.tags.msgid) },
      h('span', { class: 'hit-head' }, nameOf(line.nick), ' ', h('span', { class: 'hint' }, h('bdi', {}, plain(where)), ' · ', moment(time))), marked));
  }
}
