// The conversation with the server: batches put together, labelled questions and their answers, what people do.
// Knows the connection, the state and the history; nothing of the page.

import { Connection } from './connection.js';
import { byteLength, fold, isRoom, pieces } from './irc.js';
import { catchUp, enter, latest, settle } from './history.js';
import * as State from './state.js';

/** Bytes of text that fit into a line beside all that the server puts before it. */
const LINE_BYTES = 380;
/** A mark of typing holds six seconds; it is renewed before. */
const TYPING_EVERY = 3_000;

/** A refusal as people may read it. */
export class Refused extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

export class Client {
  state = State.createState();
  batches = new Map();
  questions = new Map();
  label = 0;
  ready = false;
  /** Rooms that nobody looks at and that have not been asked for what is unread. */
  unentered = [];

  /**
   * @param {object} hooks
   * @param {string} hooks.url
   * @param {() => {account: string, secret: string}} hooks.login
   * @param {() => void} hooks.changed  after each change of the state
   * @param {(phase: string) => void} hooks.phase
   * @param {(code: string, text: string) => void} hooks.refused
   * @param {(text: string) => void} hooks.notice  words of the server for whoever sits here
   * @param {() => void} hooks.ready  all rooms are entered; what is to be shown can be asked for
   * @param {() => string} hooks.wish  the room that is going to be shown first, if it is known
   * @param {() => void} hooks.unsent  what waits for its confirmation has changed
   */
  constructor(hooks) {
    this.hooks = hooks;
    this.connection = new Connection({
      url: hooks.url,
      login: hooks.login,
      onMessage: (message) => this.take(message),
      onPhase: (phase) => this.phase(phase),
      onRefused: hooks.refused,
    });
  }

  phase(phase) {
    if (phase === 'waiting' || phase === 'closed') {
      this.ready = false;
      this.unentered = [];
      this.batches.clear();
      const questions = [...this.questions.values()];
      this.questions.clear();
      for (const question of questions) question.reject(new Refused('OFFLINE', ''));
      for (const room of this.state.rooms.values()) {
        room.synced = false;
        room.loading = '';
        room.typing.clear();
        // What was loaded stays; whether there is more is found out when the line is up again.
        room.wasLive = room.live || room.wasLive;
        room.live = false;
        if (!room.direct) room.joined = false;
      }
      for (const someone of this.state.people.values()) someone.online = false;
    }
    this.hooks.phase(phase);
    this.hooks.changed();
  }

  // --- what comes in ---

  take(message) {
    const reference = message.tags.batch;
    if (message.command === 'BATCH') this.batch(message);
    else if (reference && this.batches.has(reference)) this.batches.get(reference).lines.push(message);
    else this.whole(message);
    this.hooks.changed();
  }

  batch(message) {
    const name = message.params[0].slice(1);
    if (message.params[0].startsWith('+')) {
      this.batches.set(name, { start: message, type: message.params[1], lines: [], parent: message.tags.batch });
      return;
    }
    const batch = this.batches.get(name);
    if (!batch) return;
    this.batches.delete(name);
    const { start, type, lines } = batch;
    if (type === 'draft/multiline') {
      const told = joined(start, lines);
      const parent = batch.parent && this.batches.get(batch.parent);
      if (parent) parent.lines.push(told);
      else this.whole(told);
      return;
    }
    const parent = batch.parent && this.batches.get(batch.parent);
    if (parent) {
      parent.inner = type;
      parent.lines.push(...lines);
      return;
    }
    const quiet = type === 'chathistory' || type === 'soju.im/search' || batch.inner;
    const question = this.questions.get(start.tags.label);
    if (question) this.answer(start.tags.label, lines, quiet || question.quiet);
    else if (!quiet) for (const line of lines) this.whole(line);
  }

  whole(message) {
    const { label } = message.tags;
    if (label && this.questions.has(label)) {
      this.answer(label, message.command === 'ACK' ? [] : [message], this.questions.get(label).quiet);
      return;
    }
    this.see(message);
  }

  answer(label, lines, quiet) {
    const question = this.questions.get(label);
    this.questions.delete(label);
    if (!quiet) for (const line of lines) this.see(line);
    const wrong = lines.find((line) => isRefusal(line));
    if (wrong && !question.lenient) question.reject(refusal(wrong));
    else question.resolve(lines);
  }

  see(message) {
    const { command, params, nick, source } = message;
    if (command === '376' || command === '422') this.welcomed();
    else if (command === 'ERROR') this.hooks.notice(params.at(-1));
    else if (command === 'NOTICE' && !source.includes('!') && !isRoom(params[0])) this.hooks.notice(params[1]);
    else if (command === 'CAP') return;
    else if (command === '774') this.syncLater(params);
    else {
      State.receive(this.state, message, Date.now());
      if (command === 'MARKREAD') this.enterOnce(State.roomOf(this.state, params[0]));
      if (command === 'JOIN' && State.isMe(this.state, nick) && !this.connection.caps.has('draft/read-marker')) {
        this.enterOnce(State.roomOf(this.state, params[0]));
      }
      if (command === '001') this.state.touched.add('me');
    }
  }

  /** There is much metadata: the server wants to be asked in some seconds. */
  syncLater([, target, seconds]) {
    const { socket } = this.connection;
    const ask = () => socket === this.connection.socket && this.send('METADATA', [target, 'SYNC']);
    setTimeout(ask, 1000 * Math.min(600, Number(seconds) || 5));
  }

  /** A room is there and its marker known: what is unread can be fetched; first what is going to be looked at. */
  enterOnce(room) {
    if (!room || room.synced || !room.joined) return;
    room.synced = true;
    const shown = this.state.active || fold(this.hooks.wish());
    if (room.key !== shown && !room.pending.length) {
      this.unentered.push(room);
      if (this.ready) this.enterOthers();
      return;
    }
    catchUp(this, room).then(() => this.resend(room), () => {});
    if (room.key === this.state.active) this.look(room);
    if (room.key === shown) this.enterOthers();
  }

  /** The answers come in the order of the questions, and a slow line has much to carry. */
  enterOthers() {
    for (const room of this.unentered.splice(0)) {
      if (room.joined && !room.live && !room.loading) enter(this, room).then(() => this.resend(room), () => {});
    }
  }

  async welcomed() {
    try {
      // Entering all rooms comes before the answer.
      await this.ask('PING', ['entered'], { lenient: true });
      this.ready = true;
      for (const room of [...this.state.rooms.values()]) {
        if (room.direct || room.joined) continue;
        // What was written for a room that one is no longer in: the server says so.
        if (room.pending.length) this.resend(room);
        else if (room.key !== this.state.active) this.state.rooms.delete(room.key);
      }
      if (this.connection.caps.has('draft/metadata-2')) this.send('METADATA', ['*', 'SUB', 'display-name']);
      this.ask('INVITE').catch(() => {});
      this.state.touched.add('rooms').add('timeline').add('header');
      this.hooks.ready();
      this.enterOthers();
      await this.directs();
    } catch {
      // The connection went away again.
    }
  }

  /** Everybody one has talked with, the newest first. */
  async directs() {
    const span = ['TARGETS', 'timestamp=2000-01-01T00:00:00.000Z', 'timestamp=2999-01-01T00:00:00.000Z', '200'];
    const lines = await this.ask('CHATHISTORY', span);
    for (const line of lines) {
      const [, name, time] = line.params;
      if (!name || isRoom(name)) continue;
      const room = State.openRoom(this.state, name);
      room.latest = Math.max(room.latest, Date.parse(time) || 0);
    }
    const rooms = State.listed(this.state).direct;
    for (let at = 0; at < rooms.length; at += 20) {
      this.send('MONITOR', ['+', rooms.slice(at, at + 20).map((room) => room.name).join(',')]);
    }
    for (const room of rooms.slice(0, 60)) this.send('MARKREAD', [room.name]);
    this.hooks.changed();
  }

  // --- what goes out ---

  send(command, params, tags) {
    return this.connection.send(command, params, tags);
  }

  /**
   * Asks, and gives back the lines of the answer.
   * @returns {Promise<import('./irc.js').Message[]>}
   */
  ask(command, params = [], { quiet = false, lenient = false, tags = {} } = {}) {
    const label = String((this.label += 1));
    return new Promise((resolve, reject) => {
      this.questions.set(label, { resolve, reject, quiet, lenient });
      if (!this.send(command, params, { ...tags, label })) {
        this.questions.delete(label);
        reject(new Refused('OFFLINE', ''));
      }
    });
  }

  /** Shows a room. */
  look(room) {
    const { state } = this;
    if (state.active !== room.key) {
      state.active = room.key;
      room.lineAt = room.unread ? room.markerTime : 0;
    }
    state.touched.add('rooms').add('timeline').add('header').add('members').add('typing');
    if (this.connection.phase === 'online') {
      if (room.synced) this.fill(room);
      else if (room.direct) {
        // Its answer tells what is unread, and makes it be fetched.
        this.send('MARKREAD', [room.name]);
        this.send('MONITOR', ['+', room.name]);
      }
      if (!room.direct && room.joined && !room.membersKnown) this.people(room);
    }
    this.hooks.changed();
  }

  /** At least a screen of what was said last. */
  fill(room) {
    if (room.live && (room.items.length >= 40 || room.beginning)) return;
    if (room.loading) return;
    latest(this, room).catch(() => {});
  }

  async people(room) {
    try {
      await this.ask('NAMES', [room.name]);
      await this.ask('WHO', [room.name]);
      await this.ask('MODE', [room.name]);
    } catch {
      // Shown as unknown; asked again when the room is opened again.
    }
    this.hooks.changed();
  }

  /**
   * Says something. It is shown at once as on its way; the echo makes it said.
   * @returns {string} why it cannot be sent, or nothing
   */
  say(room, text, { replyTo = '', action = false } = {}) {
    const size = byteLength(text);
    const most = this.multiline();
    if (size > most.bytes) return 'too-long';
    if (text.split('\n').length > most.lines) return 'too-many-lines';
    const nonce = [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(36)).join('');
    const item = State.pend(this.state, room, nonce, { text, action, replyTo }, Date.now());
    if (!room.live && room.synced && !room.loading) latest(this, room, true).catch(() => {});
    this.transmit(room, item);
    this.hooks.changed();
    return '';
  }

  multiline() {
    const value = this.connection.caps.get('draft/multiline');
    if (value === undefined) return { bytes: this.ready ? LINE_BYTES : 16_384, lines: this.ready ? 1 : 100 };
    const number = (name, otherwise) => Number(new RegExp(`${name}=(\\d+)`).exec(value)?.[1] ?? otherwise);
    return { bytes: number('max-bytes', 4096), lines: number('max-lines', 24) };
  }

  async transmit(room, item) {
    item.pending = 'sending';
    item.error = '';
    item.rev += 1;
    if (this.connection.phase !== 'online') return this.hooks.unsent();
    item.sent = this.connection.socket;
    item.after ||= room.live ? room.last : '';
    // Written down before it goes out: after a reload it is looked for in the log.
    this.hooks.unsent();
    const tags = { '+chatd/nonce': item.key.slice(1) };
    if (item.replyTo) tags['+draft/reply'] = item.replyTo;
    try {
      const lines = await this.deliver(room, item, tags);
      for (const line of lines) this.see(line);
    } catch (error) {
      // A line that broke may have been heard; what is known of it is found out when it is up again.
      if (error.code !== 'OFFLINE') State.failed(this.state, item, error.message);
    }
    this.hooks.changed();
    return undefined;
  }

  deliver(room, item, tags) {
    const text = item.kind === 'action' ? `\x01ACTION ${item.text}\x01` : item.text;
    if (!text.includes('\n') && byteLength(text) <= LINE_BYTES) {
      return this.ask('PRIVMSG', [room.name, text], { tags, quiet: true });
    }
    const name = `m${(this.label += 1)}`;
    const said = this.ask('BATCH', [`+${name}`, 'draft/multiline', room.name], { tags, quiet: true });
    for (const line of text.split('\n')) {
      pieces(line, LINE_BYTES).forEach((piece, at) => {
        const concat = at ? { 'draft/multiline-concat': '' } : {};
        this.send('PRIVMSG', [room.name, piece], { batch: name, ...concat });
      });
    }
    this.send('BATCH', [`-${name}`]);
    return said;
  }

  /** After the line came back: what nobody has heard is said again. */
  async resend(room) {
    const { socket } = this.connection;
    const waiting = room.pending.filter((item) => item.pending === 'sending' && item.sent !== socket);
    const doubtful = waiting.filter((item) => item.sent);
    if (doubtful.length && (room.direct || room.joined)) {
      try {
        const { found, sure } = await settle(this, room, doubtful);
        for (const item of doubtful) {
          if (found.has(item.key)) this.discard(room, item);
          else if (!sure) State.failed(this.state, item, '', true);
        }
      } catch (error) {
        if (error.code === 'OFFLINE') return;
        for (const item of doubtful) State.failed(this.state, item, error.message, true);
      }
    }
    for (const item of waiting) {
      if (item.pending === 'sending' && room.pending.includes(item) && socket === this.connection.socket) this.transmit(room, item);
    }
    this.hooks.changed();
  }

  /** What waits for its confirmation, to be kept over a reload. */
  unsent() {
    const list = [];
    for (const room of this.state.rooms.values()) {
      for (const item of room.pending) {
        const { key, text, kind, replyTo, time, sent, after = '', pending, error } = item;
        list.push({ room: room.name, nonce: key.slice(1), text, action: kind === 'action', replyTo, time, sent: Boolean(sent), after, failed: pending === 'failed' ? error : null });
      }
    }
    return list;
  }

  /** What was kept. It is sent when its room is there, unless the log has it. */
  restore(list) {
    for (const { room: name, nonce, text, action, replyTo, time, sent, after, failed } of list) {
      const room = State.openRoom(this.state, name);
      const item = State.pend(this.state, room, nonce, { text, action, replyTo }, time);
      item.sent = sent ? 'before' : null;
      item.after = after;
      if (failed !== null) State.failed(this.state, item, failed);
    }
  }

  discard(room, item) {
    room.pending = room.pending.filter((each) => each !== item);
    this.state.touched.add('timeline');
    this.hooks.unsent();
    this.hooks.changed();
  }

  react(room, item, emoji) {
    const mine = item.reactions.get(emoji)?.has(this.state.me);
    const tag = mine ? '+draft/unreact' : '+draft/react';
    this.send('TAGMSG', [room.name], { [tag]: emoji, '+draft/reply': item.id });
  }

  redact(room, item, reason) {
    return this.ask('REDACT', reason ? [room.name, item.id, reason] : [room.name, item.id]);
  }

  typing(room, active) {
    const now = Date.now();
    if (active && now - (room.typedAt ?? 0) < TYPING_EVERY) return;
    if (!active && !room.typedAt) return;
    room.typedAt = active ? now : 0;
    this.send('TAGMSG', [room.name], { '+typing': active ? 'active' : 'done' });
  }

  /** All that is loaded of a room has been seen. */
  markRead(room) {
    if (!room.live || this.connection.phase !== 'online' || !room.latest || room.latest <= room.markerTime) return;
    const time = new Date(room.latest).toISOString();
    State.setMarker(this.state, room, time);
    this.send('MARKREAD', [room.name, `timestamp=${time}`]);
    this.hooks.changed();
  }

  async join(name, key) {
    await this.ask('JOIN', key ? [name, key] : [name]);
    const room = State.roomOf(this.state, name);
    if (room) this.look(room);
  }

  part(room) {
    return this.ask('PART', [room.name]);
  }

  /** A conversation with somebody. */
  talkTo(nick) {
    const room = State.openRoom(this.state, nick);
    this.look(room);
    return room;
  }

  /** Asks the server's own account; its words, without showing them in a conversation. */
  async service(words) {
    const lines = await this.ask('PRIVMSG', ['chatd', words], { quiet: true, lenient: true });
    const refused = lines.find(isRefusal);
    if (refused) throw refusal(refused);
    return lines.filter((line) => line.command === 'NOTICE').map((line) => line.params.at(-1));
  }

  /**
   * The same, for a program: objects, the last of which says that it was done.
   * @returns {Promise<object[]>}
   */
  async told(words) {
    const rows = (await this.service(`${words} json`)).map((line) => JSON.parse(line));
    const end = rows.at(-1);
    if (!end?.ok) throw new Refused('SERVICE', end?.message ?? '');
    return rows;
  }

  /** A page of a list, and after which name it goes on. */
  async listed(words) {
    const rows = await this.told(words);
    return { rows: rows.slice(0, -1), more: rows.at(-1).more_after ?? '' };
  }

  async search(attributes) {
    const escape = (text) => text.replace(/[; \\]/g, (c) => ({ ';': '\\:', ' ': '\\s', '\\': '\\\\' })[c]);
    const words = Object.entries(attributes).filter(([, value]) => value);
    const query = words.map(([name, value]) => `${name}=${escape(String(value))}`).join(';');
    return this.ask('SEARCH', [query]);
  }
}

/** The lines of a long message as one. */
function joined(start, lines) {
  let text = '';
  lines.forEach((line, at) => {
    if (at && !('draft/multiline-concat' in line.tags)) text += '\n';
    text += line.params[1] ?? '';
  });
  const { batch: _, ...tags } = start.tags;
  const command = lines[0]?.command ?? 'PRIVMSG';
  return { ...start, tags, command, params: [start.params[2], text] };
}

/** Numerics from 400 on are refusals but for a few that end an empty list. */
const isRefusal = (line) => line.command === 'FAIL' || (/^[4-9]\d\d$/.test(line.command) && isError(line.command));
const isError = (code) => (code < '600' || code === '696' || code === '723' || code === '734') && code !== '422';

function refusal(line) {
  const code = line.command === 'FAIL' ? line.params[1] : line.command;
  return new Refused(code, line.params.at(-1) ?? '');
}

