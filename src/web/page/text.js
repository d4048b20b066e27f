// What people wrote, made safe to show: pieces with a kind, never HTML. Pure.
// Promises that no piece holds a control character or anything that turns the direction of what stands beside it.

/**
 * @typedef {object} Piece
 * @property {'text'|'link'|'mention'|'code'|'block'} kind
 * @property {string} text
 * @property {string} [href]
 * @property {string} [style]  classes: b, i, u, s, m
 */

// Embeddings, overrides and isolates reach beyond their message if nobody closes them; so do the deprecated shapers.
const DIRECTION = /[\u202a-\u202e\u2066-\u2069\u206a-\u206f]/g;
const STYLE = { '\x02': 'b', '\x1d': 'i', '\x1f': 'u', '\x1e': 's', '\x11': 'm' };
const LINK = /\bhttps?:\/\/[^\s<>"“”‘’「」（）《》。，、；：！？]+/gi;

/** A text on one line, for names, topics and notifications. @param {string} text */
export const plain = (text) => visible(unstyled(text)).replace(/[\n\t]+/g, ' ');

/** Takes IRC's formatting away. @param {string} text */
export const unstyled = (text) =>
  text.replace(/\x03(\d{1,2}(,\d{1,2})?)?|\x04([0-9a-fA-F]{6}(,[0-9a-fA-F]{6})?)?|[\x02\x0f\x11\x16\x1d-\x1f]/g, '');

/** Control characters become their pictures, line feed and tab stay. @param {string} text */
export const visible = (text) =>
  text
    .replace(DIRECTION, '')
    .replace(/[\0-\x08\x0b-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\x7f/g, '\u2421')
    .replace(/[\x80-\x9f\u2028\u2029]/g, '\ufffd');

/**
 * Whether `nick` is spoken to in `text`: as a word of its own.
 * @param {string} text
 * @param {string} nick
 */
export function mentions(text, nick) {
  return nick !== '' && mentionPattern(nick).test(text);
}

const patterns = new Map();
function mentionPattern(nick) {
  let pattern = patterns.get(nick);
  if (!pattern) {
    const word = nick.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    // In scripts written without blanks a name stands between letters; there a nick of that script counts anywhere.
    const edge = /^[\w.-]+$/.test(nick) ? ['(?<![\\w-])', '(?![\\w-])'] : ['', ''];
    pattern = new RegExp(edge[0] + word + edge[1], 'iu');
    patterns.clear();
    patterns.set(nick, pattern);
  }
  return pattern;
}

/**
 * Takes a message apart.
 * @param {string} text
 * @param {string} me  the own nick, to be marked
 * @returns {Piece[]}
 */
export function pieces(text, me = '') {
  const out = [];
  const blocks = text.split(/```(?:[\w+-]*\n)?([\s\S]*?)(?:\n?```)/g);
  blocks.forEach((part, at) => {
    if (at % 2 === 1) out.push({ kind: 'block', text: visible(unstyled(part)) });
    else if (part) inline(part, me, out);
  });
  return out;
}

function inline(text, me, out) {
  for (const run of runs(text)) {
    const parts = run.text.split(/`([^`\n]+)`/g);
    parts.forEach((part, at) => {
      if (at % 2 === 1) out.push({ kind: 'code', text: visible(part) });
      else if (part) linked(visible(part), run.style, me, out);
    });
  }
}

/** Pieces of one formatting each. */
function runs(text) {
  const out = [];
  let style = new Set();
  let from = 0;
  const close = (to) => {
    if (to > from) out.push({ text: text.slice(from, to), style: [...style].join(' ') });
  };
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    let skip = 0;
    if (c in STYLE) skip = 1;
    else if (c === '\x0f' || c === '\x16') skip = 1;
    else if (c === '\x03') skip = /^\x03(\d{1,2}(,\d{1,2})?)?/.exec(text.slice(at, at + 6))[0].length;
    else if (c === '\x04') skip = /^\x04([0-9a-f]{6}(,[0-9a-f]{6})?)?/i.exec(text.slice(at, at + 14))[0].length;
    if (!skip) continue;
    close(at);
    if (c in STYLE) {
      style = new Set(style);
      if (!style.delete(STYLE[c])) style.add(STYLE[c]);
    } else if (c === '\x0f') style = new Set();
    from = at + skip;
    at = from - 1;
  }
  close(text.length);
  return out;
}

function linked(text, style, me, out) {
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const address = trimmed(found[0]);
    const href = safe(address);
    if (!href) continue;
    mentioned(text.slice(from, found.index), style, me, out);
    out.push({ kind: 'link', text: address, href, style });
    from = found.index + address.length;
  }
  mentioned(text.slice(from), style, me, out);
}

function mentioned(text, style, me, out) {
  let rest = text;
  while (me && rest) {
    const found = mentionPattern(me).exec(rest);
    if (!found) break;
    if (found.index) out.push({ kind: 'text', text: rest.slice(0, found.index), style });
    out.push({ kind: 'mention', text: found[0], style });
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) out.push({ kind: 'text', text: rest, style });
}

/** A full stop or a closing bracket after an address is not part of it. */
function trimmed(address) {
  let text = address.replace(/[.,;:!?'"*_~]+$/, '');
  while (text.endsWith(')') && !text.includes('(')) text = text.slice(0, -1).replace(/[.,;:!?]+$/, '');
  return text;
}

/** The address if it is one of the web; else null. @param {string} address */
export function safe(address) {
  try {
    const url = new URL(address);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/** A hue for a name, always the same. @param {string} name */
export function hue(name) {
  let hash = 2166136261;
  for (const char of name.toLowerCase()) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return (((hash >>> 0) % 24) * 15 + 5) % 360;
}

/** The letter that stands for a name. @param {string} name */
export function initial(name) {
  const [first = '?'] = plain(name).replace(/^#/, '');
  return first.toUpperCase();
}
