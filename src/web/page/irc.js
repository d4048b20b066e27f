// The grammar of IRCv3: lines to messages and back, pure. Knows no socket and no page.

/**
 * @typedef {object} Message
 * @property {Record<string, string>} tags
 * @property {string} source  who said it, `nick!user@host` or a server
 * @property {string} nick    the part of the source before `!`
 * @property {string} command in upper case, or three digits
 * @property {string[]} params
 */

const UNESCAPE = { ':': ';', s: ' ', '\\': '\\', r: '\r', n: '\n' };
const ESCAPE = { ';': '\\:', ' ': '\\s', '\\': '\\\\', '\r': '\\r', '\n': '\\n' };

/** @param {string} text */
export const unescapeTag = (text) => text.replace(/\\(.?)/gs, (_, c) => UNESCAPE[c] ?? c);
/** @param {string} text */
export const escapeTag = (text) => text.replace(/[; \\\r\n]/g, (c) => ESCAPE[c]);

/**
 * Reads a line without CR LF; null if it is none.
 * @param {string} line
 * @returns {Message | null}
 */
export function parse(line) {
  const tags = Object.create(null);
  let rest = line;
  if (rest.startsWith('@')) {
    const end = rest.indexOf(' ');
    if (end < 0) return null;
    for (const tag of rest.slice(1, end).split(';')) {
      if (!tag) continue;
      const at = tag.indexOf('=');
      if (at < 0) tags[tag] = '';
      else tags[tag.slice(0, at)] = unescapeTag(tag.slice(at + 1));
    }
    rest = rest.slice(end).replace(/^ +/, '');
  }
  let source = '';
  if (rest.startsWith(':')) {
    const end = rest.indexOf(' ');
    if (end < 0) return null;
    source = rest.slice(1, end);
    rest = rest.slice(end).replace(/^ +/, '');
  }
  const params = [];
  let command = '';
  while (rest) {
    if (rest.startsWith(':') && command) {
      params.push(rest.slice(1));
      break;
    }
    const end = rest.indexOf(' ');
    const word = end < 0 ? rest : rest.slice(0, end);
    rest = end < 0 ? '' : rest.slice(end).replace(/^ +/, '');
    if (command) params.push(word);
    else command = word.toUpperCase();
  }
  if (!command) return null;
  return { tags, source, nick: source.split('!', 1)[0], command, params };
}

/**
 * Writes a line. What cannot stand in one (CR, LF, NUL) becomes a blank, so that no text can smuggle a command.
 * @param {string} command
 * @param {string[]} params  only the last one may have blanks or be empty
 * @param {Record<string, string>} [tags]
 */
export function format(command, params = [], tags = {}) {
  const clean = (text) => String(text).replace(/[\r\n\0]/g, ' ');
  const words = Object.entries(tags).map(([key, value]) => (value ? `${key}=${escapeTag(value)}` : key));
  const head = words.length ? `@${words.join(';')} ` : '';
  const last = params.length - 1;
  const tail = params.map((param, at) => {
    const text = clean(param);
    if (at < last) return ` ${text.replace(/ /g, '_').replace(/^:/, '_') || '*'}`;
    return text === '' || text.startsWith(':') || text.includes(' ') ? ` :${text}` : ` ${text}`;
  });
  return head + command + tail.join('');
}

/** Names are one if the server's canonical spelling differs in letter case alone. @param {string} name */
export const fold = (name) => name.toLowerCase();

/** @param {string} target */
export const isRoom = (target) => target.startsWith('#');

const encoder = new TextEncoder();
/** @param {string} text */
export const byteLength = (text) => encoder.encode(text).length;

/**
 * Cuts a text into pieces of at most `max` bytes that give the text again when joined; at a blank where there is one.
 * @param {string} text
 * @param {number} max
 */
export function pieces(text, max) {
  const out = [];
  let piece = '';
  let size = 0;
  for (const char of text) {
    const bytes = byteLength(char);
    if (size + bytes > max) {
      const blank = piece.lastIndexOf(' ');
      const cut = blank > piece.length / 2 ? blank + 1 : piece.length;
      out.push(piece.slice(0, cut));
      piece = piece.slice(cut);
      size = byteLength(piece);
    }
    piece += char;
    size += bytes;
  }
  if (piece || !out.length) out.push(piece);
  return out;
}

/**
 * The lines of AUTHENTICATE for SASL PLAIN.
 * @param {string} account
 * @param {string} secret  a password or a device token
 */
export function saslPlain(account, secret) {
  const bytes = encoder.encode(`\0${account}\0${secret}`);
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const lines = text.match(/.{1,400}/g) ?? [];
  if (text.length % 400 === 0) lines.push('+');
  return lines;
}

/** `CAP LS` words to a map. @param {string} words */
export function capabilities(words) {
  const caps = new Map();
  for (const word of words.split(' ').filter(Boolean)) {
    const [name, ...value] = word.split('=');
    caps.set(name, value.join('='));
  }
  return caps;
}

/** The moment of a message in milliseconds; `now` where there is no tag. @param {Message} message @param {number} now */
export function timeOf(message, now) {
  const time = Date.parse(message.tags.time ?? '');
  return Number.isNaN(time) ? now : time;
}
