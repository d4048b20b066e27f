// What the page knows: rooms, people, messages. A fold over the lines of the server, without DOM, socket or clock.
// Promises that a message stands in a room once, however often and by whichever way (live, page of history) it comes.

import { fold, isRoom, timeOf } from './irc.js';
import { mentions } from './text.js';

/**
 * @typedef {object} Item  a line of a conversation
 * @property {string} key      stays the same while the page shows it
 * @property {string} id       the message id; empty while it is on its way
 * @property {number} time
 * @property {'message'|'notice'|'action'|'event'} kind
 * @property {string} nick
 * @property {string} text
 * @property {string} replyTo
 * @property {Map<string, Set<string>>} reactions  emoji to nicks
 * @property {boolean} mine
 * @property {boolean} mention
 * @property {boolean} bot
 * @property {{by: string, reason: string} | null} redacted
 * @property {'sending'|'failed'|''} pending
 * @property {string} error
 * @property {boolean} [unsure]  whether it was stored is not known
 * @property {{type: string, [key: string]: string} | null} event
 * @property {number} rev      grows with each change
 */

/** Lines kept of a room that is being looked at, and of one that is not; others are fetched again when wanted. */
export const KEEP_OPEN = 5_000;
export const KEEP_CLOSED = 1_000;
/** Invitations kept; the oldest gives way. */
const INVITATIONS_MAX = 50;
/** Reactions and redactions kept for messages that are not loaded. */
const ORPHANS_MAX = 500;
const PRESENCE = new Set(['JOIN', 'PART', 'QUIT']);

export function createState() {
  return {
    me: '',
    network: '',
    isupport: new Map(),
    /** @type {Map<string, ReturnType<typeof newRoom>>} */
    rooms: new Map(),
    /** @type {Map<string, {nick: string, online: boolean, away: string|null, realname: string, displayName: string, bot: boolean}>} */
    people: new Map(),
    /** Rooms one is invited to and not in. @type {Map<string, {room: string, by: string}>} */
    invitations: new Map(),
    /** The key of the room that is shown. */
    active: '',
    showPresence: false,
    /** What has changed since the page looked: 'rooms', 'timeline', 'header', 'members', 'typing', 'me'. */
    touched: new Set(),
    /** Live messages of others, and invitations, since the page looked. @type {{room?: object, item?: Item, invitation?: object}[]} */
    news: [],
  };
}

function newRoom(name) {
  return {
    key: fold(name),
    name,
    direct: !isRoom(name),
    joined: !isRoom(name),
    topic: '',
    topicBy: '',
    modes: new Map(),
    /** Nick (folded) to its ranks. @type {Map<string, {nick: string, ranks: string}>} */
    members: new Map(),
    membersKnown: false,
    naming: null,
    /** @type {Item[]} */
    items: [],
    byId: new Map(),
    /** @type {Item[]} what I have said and nobody has confirmed */
    pending: [],
    orphans: new Map(),
    /** Ids of the outermost lines that were loaded, shown or not. */
    first: '',
    last: '',
    /** Whether the items reach the beginning of the room, and its present. */
    beginning: false,
    live: false,
    /** Whether they did when the line broke. */
    wasLive: false,
    loading: '',
    marker: '',
    markerTime: 0,
    latest: 0,
    unread: 0,
    mentions: 0,
    /** Where the line "new" stands while the room is being looked at. */
    lineAt: 0,
    typing: new Map(),
    draft: '',
    replyTo: '',
  };
}

export function roomOf(state, name) {
  return state.rooms.get(fold(name));
}

export function openRoom(state, name) {
  const key = fold(name);
  let room = state.rooms.get(key);
  if (!room) {
    room = newRoom(name);
    state.rooms.set(key, room);
    state.touched.add('rooms');
  }
  return room;
}

export function person(state, nick) {
  const key = fold(nick);
  let someone = state.people.get(key);
  if (!someone) {
    someone = { nick, online: false, away: null, realname: '', displayName: '', bot: false };
    state.people.set(key, someone);
  }
  return someone;
}

/** What somebody wants to be called beside the name everybody has here; empty if that is all. */
export function knownAs(state, nick) {
  const someone = state.people.get(fold(nick));
  const name = someone?.displayName || someone?.realname || '';
  return fold(name) === fold(nick) ? '' : name;
}

export const isMe = (state, nick) => fold(nick) === fold(state.me);

/** The conversation that a target of a message belongs to. */
function conversation(state, message, target) {
  if (isRoom(target)) return roomOf(state, target);
  return openRoom(state, isMe(state, message.nick) ? target : message.nick);
}

/** Takes in a line as it happens. @param {import('./irc.js').Message} m @param {number} now */
export function receive(state, m, now) {
  const { command, params, nick } = m;
  const touch = (...what) => what.forEach((part) => state.touched.add(part));
  const room = params[0] && isRoom(params[0]) ? roomOf(state, params[0]) : undefined;
  switch (command) {
    case '001':
      state.me = params[0];
      touch('me');
      break;
    case '005':
      for (const token of params.slice(1, -1)) {
        const [name, ...value] = token.split('=');
        state.isupport.set(name, value.join('='));
      }
      state.network = (state.isupport.get('NETWORK') ?? '').replace(/\\x([0-9A-F]{2})/g, (_, hex) =>
        String.fromCharCode(parseInt(hex, 16)),
      );
      touch('me');
      break;
    case '331':
    case '332':
      change(roomOf(state, params[1]), (it) => (it.topic = command === '332' ? params[2] : ''));
      touch('header');
      break;
    case '324':
      change(roomOf(state, params[1]), (it) => {
        it.modes = new Map();
        applyModes(state, it, params.slice(2));
      });
      touch('header');
      break;
    case '353':
      change(roomOf(state, params[2]), (it) => {
        it.naming ??= new Map();
        for (const word of params[3].split(' ').filter(Boolean)) {
          const [, ranks, name] = /^([@+]*)(.*)$/s.exec(word);
          it.naming.set(fold(name), { nick: name, ranks });
          person(state, name).online = true;
        }
      });
      break;
    case '366':
      change(roomOf(state, params[1]), (it) => {
        if (!it.naming) return;
        it.members = it.naming;
        it.naming = null;
        it.membersKnown = true;
      });
      touch('members', 'header');
      break;
    case '352': {
      const someone = person(state, params[5]);
      someone.online = true;
      someone.away = params[6].startsWith('G') ? (someone.away ?? '') : null;
      someone.bot = params[6].includes('B');
      rename(state, someone, params[7].replace(/^\d+ /, ''));
      touch('members', 'rooms');
      break;
    }
    case '301':
      person(state, params[1]).away = params[2];
      break;
    case '730':
    case '731':
      for (const word of params[1].split(',')) person(state, word.split('!')[0]).online = command === '730';
      touch('rooms', 'header', 'members');
      break;
    case 'AWAY':
      person(state, nick).away = params.length ? params[0] : null;
      touch('members', 'rooms', 'header', 'me');
      break;
    case '305':
    case '306':
      person(state, state.me).away = command === '306' ? '' : null;
      touch('me', 'members');
      break;
    case 'SETNAME':
      rename(state, person(state, nick), params[0]);
      touch('members', 'me');
      break;
    case 'JOIN': {
      const entered = isMe(state, nick) ? openRoom(state, params[0]) : room;
      if (!entered) break;
      const someone = person(state, nick);
      someone.online = true;
      if (params.length > 2) rename(state, someone, params[2]);
      if (isMe(state, nick)) {
        state.invitations.delete(fold(params[0]));
        entered.joined = true;
        entered.name = params[0];
      }
      if (!entered.members.has(fold(nick))) entered.members.set(fold(nick), { nick, ranks: '' });
      record(state, entered, m, now, true);
      touch('rooms', 'members', 'header');
      break;
    }
    case 'PART':
    case 'KICK': {
      if (!room) break;
      const gone = command === 'KICK' ? params[1] : nick;
      room.members.delete(fold(gone));
      record(state, room, m, now, true);
      if (isMe(state, gone)) {
        room.joined = false;
        if (command === 'PART') state.rooms.delete(room.key);
      }
      touch('rooms', 'members', 'header', 'timeline');
      break;
    }
    case 'QUIT':
      person(state, nick).online = false;
      for (const each of state.rooms.values()) {
        if (!each.direct && (each.members.delete(fold(nick)) || !each.membersKnown)) record(state, each, m, now, true);
      }
      touch('rooms', 'members', 'header');
      break;
    case 'NICK':
      for (const each of state.rooms.values()) {
        const member = each.members.get(fold(nick));
        if (member) member.nick = params[0];
      }
      if (isMe(state, nick)) state.me = params[0];
      touch('members', 'me');
      break;
    case 'TOPIC':
      if (!room) break;
      room.topic = params[1] ?? '';
      room.topicBy = nick;
      record(state, room, m, now, true);
      touch('header');
      break;
    case 'MODE':
      if (!room) break;
      applyModes(state, room, params.slice(1));
      record(state, room, m, now, true);
      touch('members', 'header');
      break;
    case 'RENAME':
      if (!room) break;
      state.rooms.delete(room.key);
      room.name = params[1];
      if (state.active === room.key) state.active = fold(params[1]);
      room.key = fold(params[1]);
      state.rooms.set(room.key, room);
      record(state, room, m, now, true);
      touch('rooms', 'header');
      break;
    case 'INVITE':
      if (isMe(state, params[0])) {
        invited(state, params[1], nick);
        state.news.push({ invitation: { room: params[1], by: nick } });
      } else change(roomOf(state, params[1]), (it) => record(state, it, m, now, true));
      break;
    case '336':
      invited(state, params[1], '');
      break;
    case 'METADATA':
    case '761': {
      const [target, key, , value = ''] = command === '761' ? params.slice(1) : params;
      if (key !== 'display-name' || isRoom(target)) break;
      rename(state, person(state, target), value, 'displayName');
      touch('members', 'me');
      break;
    }
    case 'MARKREAD':
      change(roomOf(state, params[0]), (it) => setMarker(state, it, params[1]));
      touch('rooms');
      break;
    case 'PRIVMSG':
    case 'NOTICE':
    case 'REDACT':
    case 'TAGMSG': {
      const where = conversation(state, m, params[0]);
      if (where) hear(state, where, m, now);
      break;
    }
    default:
      break;
  }
}

function rename(state, someone, name, which = 'realname') {
  if (someone[which] === name) return;
  someone[which] = name;
  state.touched.add('timeline').add('header');
}

function invited(state, name, by) {
  if (!isRoom(name ?? '') || roomOf(state, name)?.joined) return;
  const known = state.invitations.get(fold(name));
  state.invitations.set(fold(name), { room: name, by: by || known?.by || '' });
  if (state.invitations.size > INVITATIONS_MAX) state.invitations.delete(state.invitations.keys().next().value);
  state.touched.add('rooms');
}

function change(room, how) {
  if (room) how(room);
}

/** `+ov-i alice bob`: what it makes of the members' ranks and the room's modes. */
function applyModes(state, room, [letters = '', ...params]) {
  let on = true;
  for (const letter of letters) {
    if (letter === '+' || letter === '-') on = letter === '+';
    else if (letter === 'o' || letter === 'v') {
      const sign = letter === 'o' ? '@' : '+';
      const member = room.members.get(fold(params.shift() ?? ''));
      if (!member) continue;
      const ranks = new Set(member.ranks);
      if (on) ranks.add(sign);
      else ranks.delete(sign);
      member.ranks = ['@', '+'].filter((each) => ranks.has(each)).join('');
    } else if ('beIq'.includes(letter)) params.shift();
    else if (letter === 'k') {
      const key = params.shift() ?? '';
      if (on) room.modes.set('k', key);
      else room.modes.delete('k');
    } else if (letter === 'l') {
      if (on) room.modes.set('l', params.shift() ?? '');
      else room.modes.delete('l');
    } else if (on) room.modes.set(letter, '');
    else room.modes.delete(letter);
  }
}

function hear(state, room, m, now) {
  const mine = isMe(state, m.nick);
  if (m.command === 'TAGMSG') {
    const typing = m.tags['+typing'];
    if (typing && !mine) {
      if (typing === 'active' || typing === 'paused') room.typing.set(m.nick, now + 6_000);
      else room.typing.delete(m.nick);
      state.touched.add('typing');
      return;
    }
  } else if (m.command === 'PRIVMSG' && room.typing.delete(m.nick)) state.touched.add('typing');
  const item = record(state, room, m, now, true);
  if (!item || item.kind === 'event') return;
  room.latest = Math.max(room.latest, item.time);
  state.touched.add('rooms');
  if (mine) return;
  if (item.time > room.markerTime) {
    room.unread += 1;
    if (item.mention || room.direct) room.mentions += 1;
  }
  state.news.push({ room, item });
}

/** Puts a live line where it belongs: an item, or a change of one. */
function record(state, room, m, now, live) {
  if (live && room.live && m.tags.msgid) room.last = m.tags.msgid;
  if (annotate(state, room, m)) return null;
  const item = itemOf(state, room, m, now);
  if (!item) return null;
  if (room.byId.has(item.id)) return null;
  confirm(state, room, m, item);
  if (room.live) {
    if (!room.first) room.first = m.tags.msgid ?? '';
    add(room, [item], room.items.length);
    trim(state, room);
  }
  state.touched.add('timeline');
  return item;
}

/** An own message has come back: nothing of it is pending any more. */
function confirm(state, room, m, item) {
  const nonce = item.mine ? m.tags['+chatd/nonce'] : '';
  const at = nonce ? room.pending.findIndex((each) => each.key === `n${nonce}`) : -1;
  if (at < 0) return;
  item.key = room.pending[at].key;
  room.pending.splice(at, 1);
  state.touched.add('timeline');
}

/** Lets go of lines at one end, if there are too many: the oldest, or those that came after what is looked at. */
function trim(state, room, newest = false) {
  const keep = state.active === room.key ? KEEP_OPEN : KEEP_CLOSED;
  const surplus = room.items.length - keep;
  if (surplus <= keep / 4) return;
  const gone = newest ? room.items.splice(keep) : room.items.splice(0, surplus);
  for (const item of gone) room.byId.delete(item.id);
  if (newest) {
    room.last = room.items.at(-1).id;
    room.live = false;
    room.wasLive = false;
  } else {
    room.first = room.items[0].id;
    room.beginning = false;
  }
}

function add(room, items, at) {
  // Not by spreading: a page may be longer than a call may have arguments.
  room.items = [...room.items.slice(0, at), ...items, ...room.items.slice(at)];
  for (const item of items) {
    room.byId.set(item.id, item);
    for (const m of room.orphans.get(item.id) ?? []) apply(item, m);
    room.orphans.delete(item.id);
  }
}

/** Reactions and redactions are no lines of their own. @returns {boolean} whether it was one */
function annotate(state, room, m) {
  let target = '';
  if (m.command === 'REDACT') target = m.params[1];
  else if (m.command === 'TAGMSG') target = m.tags['+draft/reply'] || m.tags['+reply'] || '-';
  if (!target) return false;
  const item = room.byId.get(target);
  if (item) {
    apply(item, m);
    state.touched.add('timeline');
    if (m.command === 'REDACT') recount(state, room);
  } else if (target !== '-') {
    const waiting = room.orphans.get(target) ?? [];
    waiting.push(m);
    room.orphans.set(target, waiting);
    if (room.orphans.size > ORPHANS_MAX) room.orphans.delete(room.orphans.keys().next().value);
  }
  return true;
}

function apply(item, m) {
  const mark = (emoji, on) => {
    const shown = [...emoji].slice(0, 16).join('');
    const nicks = item.reactions.get(shown) ?? new Set();
    if (on) nicks.add(m.nick);
    else nicks.delete(m.nick);
    if (nicks.size) item.reactions.set(shown, nicks);
    else item.reactions.delete(shown);
  };
  if (m.command === 'REDACT') {
    item.redacted = { by: m.nick, reason: m.params[2] ?? '' };
    item.text = '';
  } else if (m.tags['+draft/react']) mark(m.tags['+draft/react'], true);
  else if (m.tags['+draft/unreact']) mark(m.tags['+draft/unreact'], false);
  item.rev += 1;
}

/** @returns {Item | null} null for lines that are not shown */
export function itemOf(state, room, m, now) {
  const { command, params, nick, tags } = m;
  const item = {
    key: tags.msgid || `x${(unnamed += 1)}`,
    id: tags.msgid || `x${unnamed}`,
    time: timeOf(m, now),
    kind: 'event',
    nick,
    text: '',
    replyTo: tags['+draft/reply'] || tags['+reply'] || '',
    reactions: new Map(),
    mine: isMe(state, nick),
    mention: false,
    bot: 'bot' in tags,
    redacted: null,
    pending: '',
    error: '',
    event: null,
    rev: 0,
  };
  if (command === 'PRIVMSG' || command === 'NOTICE') {
    const text = params[1] ?? '';
    const action = /^\x01ACTION ?([^\x01]*)\x01?$/s.exec(text);
    if (!action && text.startsWith('\x01')) return null;
    item.kind = action ? 'action' : command === 'NOTICE' ? 'notice' : 'message';
    item.text = action ? action[1] : text;
    item.mention = !item.mine && mentions(item.text, state.me);
    return item;
  }
  if (PRESENCE.has(command) && !state.showPresence) return null;
  switch (command) {
    case 'JOIN':
    case 'INVITE':
    case 'PART':
    case 'QUIT':
      item.event = { type: command.toLowerCase(), who: nick, reason: params[1] ?? '' };
      if (command === 'JOIN') item.event.reason = '';
      if (command === 'QUIT') item.event.reason = params[0] ?? '';
      if (command === 'INVITE') item.event = { type: 'invite', who: nick, whom: params[0], reason: '' };
      return item;
    case 'KICK':
      item.event = { type: 'kick', who: nick, whom: params[1], reason: params[2] ?? '' };
      return item;
    case 'TOPIC':
      item.event = { type: params[1] ? 'topic' : 'notopic', who: nick, topic: params[1] ?? '' };
      return item;
    case 'MODE':
      item.event = { type: 'mode', who: nick, change: params.slice(1).join(' ') };
      return item;
    case 'RENAME':
      item.event = { type: 'rename', who: nick, from: params[0], to: params[1] };
      return item;
    default:
      return null;
  }
}

let unnamed = 0;

/**
 * A page of history. `where`: 'older' and 'newer' than what is there, or 'reset': in place of all of it.
 * @param {import('./irc.js').Message[]} messages in their order
 */
export function page(state, room, messages, where, now) {
  if (where === 'reset') forget(room);
  const ids = messages.map((m) => m.tags.msgid).filter(Boolean);
  const items = [];
  for (const m of messages) {
    if (annotate(state, room, m)) continue;
    const item = itemOf(state, room, m, now);
    if (!item || room.byId.has(item.id)) continue;
    confirm(state, room, m, item);
    if (item.kind !== 'event') room.latest = Math.max(room.latest, item.time);
    items.push(item);
  }
  if (ids.length) {
    if (where !== 'newer' || !room.first) room.first = ids[0];
    if (where !== 'older' || !room.last) room.last = ids.at(-1);
  }
  add(room, items, where === 'older' ? 0 : room.items.length);
  if (where !== 'reset') trim(state, room, where === 'older');
  state.touched.add('timeline');
  return items.length;
}

export function forget(room) {
  room.items = [];
  room.byId.clear();
  room.orphans.clear();
  room.first = '';
  room.last = '';
  room.beginning = false;
  room.live = false;
}

export function setMarker(state, room, text) {
  room.marker = text === '*' ? '' : text.replace(/^timestamp=/, '');
  room.markerTime = Date.parse(room.marker) || 0;
  recount(state, room);
}

/** What is unread, as far as it is loaded. */
export function recount(state, room) {
  if (room.live) {
    room.unread = 0;
    room.mentions = 0;
    for (let at = room.items.length - 1; at >= 0; at--) {
      const item = room.items[at];
      if (item.time <= room.markerTime) break;
      if (item.mine || item.kind === 'event' || item.redacted) continue;
      room.unread += 1;
      if (item.mention || room.direct) room.mentions += 1;
    }
  } else if (room.markerTime >= room.latest) {
    room.unread = 0;
    room.mentions = 0;
  }
  state.touched.add('rooms');
}

/** A message of one's own on its way: shown at once, and marked so. */
export function pend(state, room, nonce, { text, action, replyTo }, now) {
  const item = {
    key: `n${nonce}`,
    id: '',
    time: now,
    kind: action ? 'action' : 'message',
    nick: state.me,
    text,
    replyTo,
    reactions: new Map(),
    mine: true,
    mention: false,
    bot: false,
    redacted: null,
    pending: 'sending',
    error: '',
    event: null,
    rev: 0,
  };
  room.pending.push(item);
  state.touched.add('timeline');
  return item;
}

export function failed(state, item, error, unsure = false) {
  item.pending = 'failed';
  item.error = error;
  item.unsure = unsure;
  item.rev += 1;
  state.touched.add('timeline');
}

/** Everything in the order of the list at the side: rooms by name, people by what was said last. */
export function listed(state) {
  const all = [...state.rooms.values()];
  const rooms = all.filter((room) => !room.direct && (room.joined || room.key === state.active || room.pending.length));
  const direct = all.filter((room) => room.direct);
  rooms.sort((a, b) => a.name.localeCompare(b.name));
  direct.sort((a, b) => b.latest - a.latest || a.name.localeCompare(b.name));
  return { rooms, direct };
}

export function totals(state) {
  let unread = 0;
  let mentioned = state.invitations.size;
  for (const room of state.rooms.values()) {
    unread += room.unread;
    mentioned += room.mentions;
  }
  return { unread, mentioned };
}

/** Own rank in a room. */
export const rankOf = (state, room) => room.members.get(fold(state.me))?.ranks ?? '';
