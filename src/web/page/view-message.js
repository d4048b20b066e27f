// One line of a conversation as an element. Text is put in as text, links are made by hand; nothing reads HTML.

import { h, unseen } from './dom.js';
import { clock, day, moment, t } from './i18n.js';
import { knownAs } from './state.js';
import { hue, initial, pieces, plain, unstyled, visible } from './text.js';

/** Lines of one person within this time stand under one head. */
const GROUP = 5 * 60_000;

/** What a line looks like beside its own words; it depends on the one before it. */
export function framing(item, before, lineAt) {
  const newDay = !before || new Date(before.time).toDateString() !== new Date(item.time).toDateString();
  const unread = lineAt > 0 && item.time > lineAt && !item.mine && (!before || before.time <= lineAt);
  const head =
    newDay || unread || item.kind === 'event' || before.kind === 'event' || before.nick !== item.nick ||
    item.time - before.time > GROUP || Boolean(item.replyTo) || item.kind === 'action' || before.kind === 'action';
  return { newDay, unread, head };
}

export function avatar(name, extra = '') {
  return h('span', { class: `avatar ${extra}`, hue: hue(name), 'aria-hidden': 'true' }, initial(name));
}

/** A name in its colour, kept apart from the direction of what stands beside it. */
export function nameOf(nick) {
  return h('bdi', { class: 'name', hue: hue(nick) }, plain(nick));
}

/** What somebody is called beside that name. */
export function alias(state, nick) {
  const name = knownAs(state, nick);
  return name && h('bdi', { class: 'alias' }, plain(name).slice(0, 80));
}

/** @param {import('./state.js').Item} item */
export function row(app, room, item, frame) {
  const classes = ['row', item.kind];
  if (frame.head) classes.push('head');
  if (item.mention) classes.push('mention');
  if (item.pending) classes.push(item.pending);
  const element = h('div', { class: classes.join(' '), tabindex: '-1', role: 'article', 'aria-label': spoken(item) });
  element.item = item;
  if (frame.newDay) element.append(h('div', { class: 'day', role: 'separator' }, h('span', {}, day(item.time, Date.now()))));
  if (frame.unread) element.append(h('div', { class: 'fresh', role: 'separator' }, h('span', {}, t('new-messages'))));
  const line = h('div', { class: 'line' });
  element.append(line);
  const time = h('time', { datetime: new Date(item.time).toISOString(), title: moment(item.time) }, clock(item.time));
  if (item.kind === 'event') {
    line.append(h('span', { class: 'gutter' }, time), h('span', { class: 'body' }, h('span', { class: 'text', dir: 'auto' }, happened(item))));
    return element;
  }
  const gutter = h('span', { class: 'gutter' }, frame.head ? avatar(item.nick) : time);
  const body = h('div', { class: 'body' });
  if (item.replyTo) body.append(quote(app, room, item));
  if (frame.head && item.kind !== 'action') {
    body.append(
      h('div', { class: 'who' },
        h('button', { type: 'button', class: 'plain', tabindex: '-1', onclick: () => app.profile(item.nick) }, nameOf(item.nick)),
        alias(app.state, item.nick),
        item.bot && h('span', { class: 'tag' }, t('bot')),
        time),
    );
  }
  body.append(words(app, item));
  if (item.reactions.size) body.append(reactions(app, room, item));
  if (item.pending === 'failed') body.append(failure(app, room, item));
  line.append(gutter, body);
  return element;
}

function words(app, item) {
  const text = h('div', { class: 'text', dir: 'auto' });
  if (item.redacted) {
    const { by, reason } = item.redacted;
    text.classList.add('gone');
    const key = by === item.nick ? 'redacted' : 'redacted-by';
    text.append(t(reason ? `${key}-why` : key, { by: plain(by), reason: plain(reason) }));
    return text;
  }
  if (item.kind === 'action') text.append(nameOf(item.nick), ' ');
  for (const piece of pieces(item.text, item.mine ? '' : app.state.me)) {
    const { kind } = piece;
    const style = piece.style ? `f-${piece.style.split(' ').join(' f-')}` : null;
    if (kind === 'link') {
      const props = { href: piece.href, target: '_blank', rel: 'noopener noreferrer', class: style };
      text.append(h('a', props, piece.text));
    } else if (kind === 'block') text.append(h('pre', { dir: 'ltr' }, h('code', {}, piece.text)));
    else if (kind === 'code') text.append(h('code', {}, piece.text));
    else if (kind === 'mention') text.append(h('mark', { class: style }, piece.text));
    else if (style) text.append(h('span', { class: style }, piece.text));
    else text.append(piece.text);
  }
  return text;
}

function quote(app, room, item) {
  const to = room.byId.get(item.replyTo);
  const inside = to
    ? [nameOf(to.nick), ' ', h('bdi', {}, to.redacted ? t('redacted') : plain(to.text).slice(0, 160))]
    : [t('reply-to-earlier')];
  const label = t('show-replied');
  return h('button', { type: 'button', class: 'quote', tabindex: '-1', title: label, onclick: () => app.jump(room, item.replyTo) }, inside);
}

function reactions(app, room, item) {
  const list = [...item.reactions].slice(0, 20).map(([emoji, nicks]) => {
    const mine = nicks.has(app.state.me);
    const names = [...nicks].slice(0, 12).map(plain).join(', ');
    const props = {
      type: 'button', class: 'reaction', 'aria-pressed': String(mine), title: names, tabindex: '-1',
      onclick: () => app.client.react(room, item, emoji),
    };
    return h('button', props, h('bdi', {}, visible(emoji)), h('span', {}, String(nicks.size)), unseen(`: ${names}`));
  });
  return h('div', { class: 'reactions' }, list);
}

function failure(app, room, item) {
  return h(
    'div',
    { class: 'failure', role: 'alert' },
    h('span', {}, t(item.unsure ? 'maybe-sent' : 'not-sent', { why: plain(item.error) })),
    h('button', { type: 'button', class: 'again', onclick: () => app.client.transmit(room, item) }, t('send-again')),
    h('button', { type: 'button', onclick: () => app.discard(room, item) }, t('discard')),
  );
}

/** What a letter of MODE is about. */
const MODES = {
  i: 'mode-i', m: 'mode-m', n: 'mode-n', s: 'mode-s', t: 'mode-t', k: 'room-key', l: 'limit',
  b: 'list-b', e: 'list-e', I: 'list-I', q: 'list-q', o: 'operator', v: 'voiced',
};

/** `+o-i bob`, in words, and as it was said for those who know it. */
function modes(change) {
  const [letters = '', ...params] = change.split(' ');
  const told = [];
  let on = true;
  for (const letter of letters) {
    if (letter === '+' || letter === '-') on = letter === '+';
    else {
      const has = 'ovbeIqk'.includes(letter) || (letter === 'l' && on);
      const param = has ? plain(params.shift() ?? '').replace(/^~a(ccount)?:/, '') : '';
      const rule = letter in MODES ? t(MODES[letter]) : letter;
      const what = !param || letter === 'k' ? rule : letter === 'l' ? `${rule}: ${param}` : `${param}: ${rule}`;
      told.push(on ? what : t('mode-off', { rule: what }));
    }
  }
  return `${told.join('; ')} (${plain(change)})`;
}

/** What happened, in words. */
export function happened(item) {
  if (item.event.type === 'mode') return t('event-mode', { who: plain(item.event.who), change: modes(item.event.change) });
  const values = Object.fromEntries(Object.entries(item.event).map(([key, value]) => [key, plain(value)]));
  const { type, reason } = item.event;
  return t(`event-${type}${reason ? '-why' : ''}`, values);
}

/** As a line of plain text, for the clipboard. */
export function copied(item) {
  if (item.kind === 'event') return `* ${happened(item)}`;
  const text = item.redacted ? t('redacted') : visible(unstyled(item.text));
  return item.kind === 'action' ? `* ${plain(item.nick)} ${text}` : `${plain(item.nick)}: ${text}`;
}

/** For those who listen. */
export function spoken(item) {
  if (item.kind === 'event') return `${clock(item.time)} ${happened(item)}`;
  const text = item.redacted ? t('redacted') : visible(unstyled(item.text)).slice(0, 500);
  return `${plain(item.nick)}, ${clock(item.time)}: ${text}`;
}
