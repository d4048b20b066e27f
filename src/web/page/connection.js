// One WebSocket to the server, and the next when it breaks: capabilities, SASL, PING, back-off with jitter.
// Knows the grammar alone. Hands every message on once it is registered; keeps no secret beyond its own life.

import { capabilities, format, parse, saslPlain } from './irc.js';

/** What the page can make use of; what the server does not offer is not asked for. */
export const WANTED = [
  'sasl', 'message-tags', 'server-time', 'batch', 'echo-message', 'labeled-response', 'account-tag', 'cap-notify',
  'multi-prefix', 'extended-join', 'away-notify', 'setname', 'invite-notify', 'standard-replies', 'account-notify',
  'no-implicit-names', 'draft/chathistory', 'draft/event-playback', 'draft/read-marker', 'soju.im/search',
  'draft/multiline', 'draft/message-redaction', 'draft/channel-rename', 'extended-monitor', 'draft/metadata-2',
];

/** Silence after which the server is asked whether it is there, and how long it may take to answer. */
const QUIET = 45_000;
const PATIENCE = 15_000;
const BACKOFF_MAX = 30_000;

/** How long to wait before the next attempt. @param {number} attempt counted from 0 @param {number} random 0 to 1 */
export const backoff = (attempt, random) => Math.min(BACKOFF_MAX, 500 * 2 ** attempt) * (0.5 + random / 2);

/**
 * @typedef {'connecting'|'registering'|'online'|'waiting'|'closed'} Phase
 */
export class Connection {
  /** @type {Phase} */
  phase = 'closed';
  attempt = 0;
  /** When the next attempt is made, for the page to show. */
  retryAt = 0;
  caps = new Map();

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {() => {account: string, secret: string}} options.login
   * @param {(message: import('./irc.js').Message) => void} options.onMessage
   * @param {(phase: Phase) => void} options.onPhase
   * @param {(code: string, text: string) => void} options.onRefused  the login is wrong: no further attempt is made
   */
  constructor(options) {
    this.options = options;
  }

  open() {
    this.wanted = true;
    this.connect();
  }

  /** Ends it for good. @param {string} [word] */
  close(word) {
    this.wanted = false;
    clearTimeout(this.timer);
    if (this.socket && word && this.phase === 'online') this.send('QUIT', [word]);
    this.drop();
    this.enter('closed');
  }

  /** The network is back, or somebody is impatient. */
  retryNow() {
    if (this.phase === 'waiting') this.connect();
    else if (this.phase === 'online') this.probe();
  }

  /** @returns {boolean} whether it went out */
  send(command, params = [], tags = {}) {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(format(command, params, tags));
    return true;
  }

  connect() {
    clearTimeout(this.timer);
    this.drop();
    this.enter('connecting');
    const socket = new WebSocket(this.options.url, ['text.ircv3.net']);
    this.socket = socket;
    socket.onopen = () => this.greet();
    socket.onmessage = (event) => {
      if (socket === this.socket && typeof event.data === 'string') this.receive(event.data);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lost();
    };
    this.timer = setTimeout(() => this.lost(), PATIENCE);
  }

  greet() {
    this.offered = new Map();
    this.caps = new Map();
    this.enter('registering');
    const { account } = this.options.login();
    this.send('CAP', ['LS', '302']);
    this.send('NICK', [account.split('/')[0]]);
    this.send('USER', [account.split('/')[0], '0', '*', account.split('/')[0]]);
  }

  receive(data) {
    this.listen();
    for (const line of data.split(/\r?\n/)) {
      const message = line && parse(line);
      if (!message) continue;
      if (message.command === 'PING') this.send('PONG', message.params);
      else if (message.command === 'PONG' && message.params.at(-1) === 'still-there') continue;
      else if (this.phase === 'online') this.options.onMessage(message);
      else this.register(message);
    }
  }

  register(message) {
    const { command, params } = message;
    const refuse = (code) => {
      this.close();
      this.options.onRefused(code, params.at(-1) ?? '');
    };
    switch (command) {
      case 'CAP':
        this.negotiate(params);
        break;
      case '902':
      case '904':
      case '905':
      case '906':
      case '464':
        refuse('credentials');
        break;
      case '465':
        refuse('banned');
        break;
      case 'ERROR':
        this.lastError = params.at(-1);
        break;
      case '001':
        this.attempt = 0;
        this.enter('online');
        this.options.onMessage(message);
        break;
      default:
        break;
    }
  }

  negotiate(params) {
    const [, verb, ...rest] = params;
    if (verb === 'LS') {
      for (const [name, value] of capabilities(rest.at(-1) ?? '')) this.offered.set(name, value);
      if (rest[0] === '*') return;
      const request = WANTED.filter((name) => this.offered.has(name));
      // In pieces that fit into a line.
      for (let at = 0; at < request.length; at += 12) this.send('CAP', ['REQ', request.slice(at, at + 12).join(' ')]);
      this.authenticate();
    } else if (verb === 'ACK') {
      for (const name of (rest.at(-1) ?? '').split(' ').filter(Boolean)) this.caps.set(name, this.offered.get(name) ?? '');
    }
  }

  /** All that is left of the login at once: the server takes it in its order, and a slow line carries it in one trip. */
  authenticate() {
    const { account, secret } = this.options.login();
    this.send('AUTHENTICATE', ['PLAIN']);
    for (const line of saslPlain(account, secret)) this.send('AUTHENTICATE', [line]);
    this.send('CAP', ['END']);
  }

  listen() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.probe(), QUIET);
  }

  probe() {
    if (!this.send('PING', ['still-there'])) return this.lost();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lost(), PATIENCE);
    return undefined;
  }

  lost() {
    this.drop();
    clearTimeout(this.timer);
    if (!this.wanted) return;
    const wait = backoff(this.attempt, Math.random());
    this.attempt += 1;
    this.retryAt = Date.now() + wait;
    this.enter('waiting');
    this.timer = setTimeout(() => this.connect(), wait);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  enter(phase) {
    if (phase === this.phase) return;
    this.phase = phase;
    this.options.onPhase(phase);
  }
}
