// The pure modules of the page, under `node --test`: grammar, text, state, words.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { deviceName } from '../../src/web/page/keep.js';
import { happened } from '../../src/web/page/view-message.js';
import { backoff } from '../../src/web/page/connection.js';
import { choose } from '../../src/web/page/i18n.js';
import { byteLength, escapeTag, format, parse, pieces, saslPlain, unescapeTag } from '../../src/web/page/irc.js';
import * as State from '../../src/web/page/state.js';
import * as Text from '../../src/web/page/text.js';

const page = new URL('../../src/web/page/', import.meta.url);

/** A generator that gives the same numbers at each run. */
function dice(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

test('what is written is read back', () => {
  const roll = dice(1);
  const letters = [...'ab :;\\=早😀é\r\n,#'];
  const word = () => Array.from({ length: roll(12) }, () => letters[roll(letters.length)]).join('');
  for (let n = 0; n < 3000; n++) {
    const value = word();
    assert.equal(unescapeTag(escapeTag(value)), value);
    const text = word();
    const back = parse(format('PRIVMSG', ['#a', text], { label: 'x', '+v': value }));
    assert.equal(back.params.length, 2);
    assert.equal(back.params[1], text.replace(/[\r\n]/g, ' '));
    assert.equal(back.tags['+v'], value);
  }
});

test('no text smuggles a line or a parameter', () => {
  assert.equal(format('PRIVMSG', ['#a', 'x\r\nQUIT']), 'PRIVMSG #a :x  QUIT');
  assert.equal(format('JOIN', ['#a b', 'key']), 'JOIN #a_b key');
  assert.equal(format('TOPIC', ['#a', '']), 'TOPIC #a :');
  assert.equal(format('PRIVMSG', ['#a', ':)']), 'PRIVMSG #a ::)');
});

test('lines of every shape are read', () => {
  assert.equal(parse(''), null);
  assert.equal(parse('@a=b'), null);
  const line = parse('@time=2026-01-01T00:00:00.000Z;x  :alice!a@h  privmsg  #a  :b c');
  assert.deepEqual([line.nick, line.command, line.params, line.tags.x], ['alice', 'PRIVMSG', ['#a', 'b c'], '']);
  assert.equal(Object.getPrototypeOf(line.tags), null, 'a tag named __proto__ is a tag');
});

test('long texts are cut into pieces that fit and give the text again', () => {
  for (const text of ['', 'a'.repeat(1000), '早安 '.repeat(300), '😀'.repeat(333), 'words and words '.repeat(90)]) {
    const cut = pieces(text, 100);
    assert.equal(cut.join(''), text);
    assert.ok(cut.every((piece) => byteLength(piece) <= 100));
  }
});

test('SASL PLAIN goes in pieces of 400, the last one shorter', () => {
  assert.deepEqual(saslPlain('a', 'b'), ['AGEAYg==']);
  const whole = saslPlain('a', 'x'.repeat(297));
  assert.deepEqual(whole.map((line) => line.length), [400, 1]);
  assert.equal(atob(saslPlain('é', 'b')[0]), '\0Ã©\0b');
});

test('the wait between attempts grows, has jitter and an end', () => {
  assert.ok(backoff(0, 0) >= 250 && backoff(0, 1) <= 500);
  assert.ok(backoff(50, 1) <= 30_000 && backoff(50, 0) >= 15_000);
});

test('only addresses of the web are links, and no more than the address', () => {
  const links = (text) => Text.pieces(text).filter((piece) => piece.kind === 'link').map((piece) => piece.href);
  assert.deepEqual(links('see https://example.org/a_(b), ok'), ['https://example.org/a_(b)']);
  assert.deepEqual(links('(https://example.org/x).'), ['https://example.org/x']);
  assert.deepEqual(links('看 https://example.org/x。好'), ['https://example.org/x']);
  assert.deepEqual(links('javascript:alert(1) data:text/html,x ftp://a/b'), []);
  assert.equal(Text.safe('javascript:alert(1)'), null);
});

test('nothing that is shown holds a control character or an override', () => {
  const roll = dice(7);
  const nasty = ['\0', '\x07', '\x1b', '\x7f', '\x9b', '\u202e', '\u202d', '\u2066', '\u2069', '\u2028', '\x02', '\x034,5', '\x0f', 'a', ' ', '`', '```', 'https://x.y/', '早', '\n'];
  for (let n = 0; n < 2000; n++) {
    const text = Array.from({ length: roll(30) }, () => nasty[roll(nasty.length)]).join('');
    const shown = Text.pieces(text, 'a').map((piece) => piece.text).join('') + Text.plain(text);
    assert.doesNotMatch(shown, /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]/);
  }
});

test('formatting, code and mentions become kinds', () => {
  const kinds = Text.pieces('\x02bold\x02 and `x` for alice: ```\ny\n```', 'alice').map(({ kind, text, style }) => [kind, text, style || '']);
  assert.deepEqual(kinds, [['text', 'bold', 'b'], ['text', ' and ', ''], ['code', 'x', ''], ['text', ' for ', ''], ['mention', 'alice', ''], ['text', ': ', ''], ['block', 'y', undefined || '']]);
});

test('a mention is a word of its own', () => {
  assert.ok(Text.mentions('hi Bob!', 'bob') && Text.mentions('bob: x', 'bob') && Text.mentions('你好小明吗', '小明'));
  assert.ok(!Text.mentions('bobby', 'bob') && !Text.mentions('a-bob', 'bob') && !Text.mentions('x', ''));
});

// --- state ---

const says = (id, text, { nick = 'bob', room = '#a', tags = '' } = {}) =>
  parse(`@msgid=${id};time=2026-01-01T00:00:${String(id).padStart(2, '0')}.000Z${tags} :${nick}!u@h PRIVMSG ${room} :${text}`);

function joined() {
  const state = State.createState();
  for (const line of [':s 001 alice :hi', ':alice!a@h JOIN #a alice :Alice', ':s 353 alice = #a :@alice +bob', ':s 366 alice #a :end']) {
    State.receive(state, parse(line), 0);
  }
  const room = State.roomOf(state, '#A');
  room.live = true;
  return { state, room };
}

test('a message stands in a room once, however it comes', () => {
  const { state, room } = joined();
  State.receive(state, says(5, 'five'), 0);
  State.receive(state, says(5, 'five'), 0);
  State.page(state, room, [3, 4, 5].map((n) => says(n, `n${n}`)), 'older', 0);
  State.page(state, room, [5, 6].map((n) => says(n, `n${n}`)), 'newer', 0);
  assert.deepEqual(room.items.map((item) => item.id), ['3', '4', '5', '6']);
  assert.deepEqual([room.first, room.last], ['3', '6']);
});

test('what is not live is not put behind a page of the past', () => {
  const { state, room } = joined();
  State.page(state, room, [says(1, 'old')], 'reset', 0);
  room.live = false;
  State.receive(state, says(9, 'new'), 0);
  assert.deepEqual(room.items.map((item) => item.id), ['1']);
  assert.equal(room.unread, 1);
  assert.equal(room.last, '1', 'one goes on from where the page ends');
});

test('an own message is pending until its echo', () => {
  const { state, room } = joined();
  State.pend(state, room, 'abc', { text: 'hi', action: false, replyTo: '' }, 0);
  State.receive(state, says(7, 'hi', { nick: 'bob', tags: ';+chatd/nonce=abc' }), 0);
  assert.equal(room.pending.length, 1, 'nobody else confirms it');
  State.receive(state, says(8, 'hi', { nick: 'alice', tags: ';+chatd/nonce=abc' }), 0);
  assert.deepEqual([room.pending.length, room.items.at(-1).key], [0, 'nabc']);
});

test('reactions and redactions find their message, also when they come first', () => {
  const { state, room } = joined();
  const tag = (rest) => parse(`@msgid=50;${rest} :carol!c@h TAGMSG #a`);
  State.page(state, room, [tag('+draft/react=👍;+draft/reply=4')], 'newer', 0);
  State.page(state, room, [says(4, 'x')], 'older', 0);
  assert.deepEqual([...room.items[0].reactions.get('👍')], ['carol']);
  State.receive(state, tag('+draft/unreact=👍;+draft/reply=4'), 0);
  assert.equal(room.items[0].reactions.size, 0);
  State.receive(state, parse('@msgid=51 :bob!b@h REDACT #a 4 :why'), 0);
  assert.deepEqual([room.items[0].text, room.items[0].redacted.reason], ['', 'why']);
});

test('unread counts what others said after the marker', () => {
  const { state, room } = joined();
  for (const n of [1, 2, 3]) State.receive(state, says(n, n === 2 ? 'alice?' : 'x'), 0);
  assert.deepEqual([room.unread, room.mentions], [3, 1]);
  State.receive(state, parse(':s MARKREAD #a timestamp=2026-01-01T00:00:02.000Z'), 0);
  assert.deepEqual([room.unread, room.mentions], [1, 0]);
  State.receive(state, says(9, 'y', { nick: 'alice' }), 0);
  assert.equal(room.unread, 1, 'one has read what one says');
});

test('direct messages go to the other one, whoever speaks', () => {
  const { state } = joined();
  State.receive(state, says(1, 'psst', { room: 'alice' }), 0);
  State.receive(state, says(2, 'yes?', { nick: 'alice', room: 'Bob' }), 0);
  assert.deepEqual(State.listed(state).direct.map((room) => room.key), ['bob']);
});

test('ranks, modes, kicks and names follow the room', () => {
  const { state, room } = joined();
  for (const line of [':alice!a@h MODE #a +o-v+k bob bob key', ':alice!a@h TOPIC #a :tea', ':alice!a@h RENAME #a #b :x']) State.receive(state, parse(line), 0);
  assert.deepEqual([room.members.get('bob').ranks, room.modes.get('k'), room.topic, room.key], ['@', 'key', 'tea', '#b']);
  assert.equal(State.rankOf(state, room), '@');
  State.receive(state, parse(':bob!b@h KICK #b alice :out'), 0);
  assert.equal(room.joined, false);
});

test('of 100,000 lines a part is kept, on the way up and down again, with no gap in it', () => {
  const { state, room } = joined();
  state.active = room.key;
  const all = Array.from({ length: 100_000 }, (_, n) => says(n, `line ${n}`));
  const look = () => {
    assert.ok(room.items.length <= State.KEEP_OPEN * 1.25, `${room.items.length} lines are kept`);
    assert.equal(room.byId.size, room.items.length);
    const numbers = room.items.map((item) => Number(item.id));
    assert.equal(numbers.at(-1) - numbers[0], numbers.length - 1);
    assert.deepEqual([room.first, room.last], [room.items[0].id, room.items.at(-1).id]);
  };
  State.page(state, room, all.slice(-100), 'reset', 0);
  room.live = true;
  for (let first; (first = Number(room.first)) > 0;) State.page(state, room, all.slice(Math.max(0, first - 100), first), 'older', 0);
  look();
  assert.deepEqual([room.first, room.live], ['0', false], 'the present is let go of, and known to be');
  State.receive(state, says(100_000, 'new'), 0);
  assert.equal(room.byId.has('100000'), false, 'a new line is not put behind a gap');
  room.beginning = true;
  for (let last; (last = Number(room.last)) < 99_999;) State.page(state, room, all.slice(last + 1, last + 101), 'newer', 0);
  look();
  assert.deepEqual([room.last, room.beginning], ['99999', false]);
});

// --- words ---

test('all languages have the same keys, and the same things to fill in', async () => {
  const tables = {};
  for (const file of readdirSync(new URL('i18n/', page))) tables[file] = (await import(new URL(`i18n/${file}`, page))).default;
  const english = tables['en.js'];
  const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [file, table] of Object.entries(tables)) {
    assert.deepEqual(Object.keys(table).sort(), Object.keys(english).sort(), file);
    for (const key of Object.keys(english)) assert.deepEqual(holes(table[key]), holes(english[key]), `${file}: ${key}`);
  }
});

test('every word that is used is there, and every one that is there is used', async () => {
  const english = (await import(new URL('i18n/en.js', page))).default;
  const source = readdirSync(page).filter((file) => file.endsWith('.js')).map((file) => readFileSync(new URL(file, page), 'utf8')).join('\n');
  for (const [, key] of source.matchAll(/\bt\('([\w-]+)'/g)) assert.ok(key in english, key);
  const made = /^(event|mode|theme|redacted|key|admin|refused|list)-/;
  for (const key of Object.keys(english)) assert.ok(made.test(key) || source.includes(`'${key}'`), `${key} is used nowhere`);
});

test('a change of a room is told in words', () => {
  const told = (change) => happened({ event: { type: 'mode', who: 'alice', change } });
  assert.equal(told('+i'), 'alice changed the room: By invitation only (+i)');
  assert.equal(told('+o-v bob carol'), 'alice changed the room: bob: operator; no longer carol: voice (+o-v bob carol)');
  assert.equal(told('+l-q 5 ~a:bob'), 'alice changed the room: Members at most: 5; no longer bob: Muted: may read and not write (+l-q 5 ~a:bob)');
  assert.equal(told('-l+Z'), 'alice changed the room: no longer Members at most; Z (-l+Z)');
});

test('a browser has a name that its owner knows', () => {
  const name = (agent) => deviceName(agent, new Uint8Array([1, 2, 255]));
  assert.equal(name('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0'), 'web-edge-windows-0102ff');
  assert.equal(name('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'), 'web-firefox-linux-0102ff');
  assert.equal(name('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1'), 'web-safari-iphone-0102ff');
  assert.equal(name('?'), 'web-0102ff');
});

test('the language is the first wish that there is', () => {
  assert.equal(choose(['zh-TW', 'en']), 'zh-CN');
  assert.equal(choose(['fr', 'en-GB']), 'en');
  assert.equal(choose([]), 'en');
});

test('the first look at the page is small', async () => {
  const { gzipSync } = await import('node:zlib');
  const scripts = ['i18n/en.js', 'i18n/zh-CN.js', ...readdirSync(page).filter((file) => file.endsWith('.js'))];
  const read = (files) => Buffer.concat(files.map((file) => readFileSync(new URL(file, page))));
  const bytes = [['index.html'], ['app.css'], ['icon.svg'], ['manifest.webmanifest'], scripts].map((files) => gzipSync(read(files)).length).reduce((a, b) => a + b);
  assert.ok(bytes < 75_000, `${bytes} bytes compressed`);
});
