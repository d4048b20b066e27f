// How a newcomer gets an account: a conversation of its own with the server, on a connection of its own, which ends when
// the account is there or cannot be. Knows the grammar alone, and no page.

import { capabilities, format, parse } from './irc.js';

const CAP = 'draft/account-registration';
/** For an answer; hashing a password takes its time, too. */
const PATIENCE = 30_000;

export class NotMade extends Error {
  /** @param {string} code  of the server's refusal; OFFLINE if there is no server */
  constructor(code, text = '') {
    super(text);
    this.code = code;
  }
}

export class Newcomer {
  caps = new Map();

  /** @param {string} url */
  constructor(url) {
    this.socket = new WebSocket(url, ['text.ircv3.net']);
    this.socket.onopen = () => this.send('CAP', ['LS', '302']);
    this.socket.onclose = () => this.settle(new NotMade('OFFLINE'));
    this.socket.onmessage = (event) => {
      for (const line of String(event.data).split(/\r?\n/)) {
        const message = line && parse(line);
        if (message) this.take(message);
      }
    };
    this.greeted = this.answer();
  }

  /** Whether the server lets newcomers make accounts. */
  async offered() {
    await this.greeted;
    return this.caps.has(CAP);
  }

  /** @returns {Promise<'made'|'code'>} `code`: the code of an invitation is wanted */
  async register(name, password) {
    await this.greeted;
    const answer = this.answer();
    this.send('CAP', ['REQ', CAP]);
    // The name of the account is the nick.
    this.send('NICK', [name]);
    this.send('REGISTER', ['*', '*', password]);
    this.name = name;
    return answer;
  }

  /** @returns {Promise<'made'>} */
  verify(code) {
    const answer = this.answer();
    this.send('VERIFY', [this.name, code]);
    return answer;
  }

  close() {
    this.socket.onclose = null;
    this.socket.close();
  }

  send(command, params) {
    if (this.socket.readyState === 1) this.socket.send(format(command, params));
    else this.settle(new NotMade('OFFLINE'));
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject, timer: setTimeout(() => this.settle(new NotMade('OFFLINE')), PATIENCE) };
    });
  }

  settle(outcome) {
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = null;
    clearTimeout(waiting.timer);
    if (outcome instanceof Error) waiting.reject(outcome);
    else waiting.resolve(outcome);
  }

  take({ command, params }) {
    if (command === 'PING') this.send('PONG', params);
    else if (command === 'CAP' && params[1] === 'LS') {
      for (const [name, value] of capabilities(params.at(-1))) this.caps.set(name, value);
      if (params[2] !== '*') this.settle('greeted');
    } else if (command === 'REGISTER' || command === 'VERIFY') this.settle(params[0] === 'SUCCESS' ? 'made' : 'code');
    else if (command === 'FAIL') this.settle(new NotMade(params[1], params.at(-1)));
    else if (command === 'ERROR' || /^4\d\d$/.test(command)) this.settle(new NotMade(command, params.at(-1)));
  }
}
