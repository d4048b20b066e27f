// Pages of the past: the newest, older, newer, around a message; and the gap after the line was down.
// Knows the client's questions and the state. Promises that one page of a room is asked for at a time, and that what was
// sent before the line broke is looked for in the log before it is said to be unsent.

import { forget, isMe, page, recount } from './state.js';

const PAGE = 100;
/** The first page of a room, which somebody waits for: some screens. */
const FIRST = 50;
/** As many lines as are asked for at once: no more than the server gives, or a whole page would look like the last one. */
export const pageSize = (client, wish = PAGE) => Math.min(wish, Number(client.state.isupport.get('CHATHISTORY')) || wish);
/** Pages that are read to find out what has become of messages; beyond that nobody knows. */
const SETTLE_PAGES = 50;
/** How far the clock of this machine may be off. */
const CLOCK = 10 * 60_000;
/** Pages that are fetched one after the other to close a gap; a longer one is closed while scrolling. */
const GAP_PAGES = 10;

/**
 * @param {import('./client.js').Client} client
 * @param {'older'|'newer'|'reset'} where
 */
async function fetch(client, room, where, subcommand, marks, size = pageSize(client)) {
  room.loading = where;
  client.state.touched.add('timeline');
  try {
    const lines = await client.ask('CHATHISTORY', [subcommand, room.name, ...marks, String(size)]);
    page(client.state, room, lines, where, Date.now());
    return lines.length;
  } finally {
    room.loading = '';
    client.state.touched.add('timeline');
    client.hooks.changed();
  }
}

/** At login: only what is unread. */
export async function enter(client, room) {
  forget(room);
  const mark = room.marker ? `timestamp=${room.marker}` : '*';
  const count = await fetch(client, room, 'reset', 'LATEST', [mark]);
  room.live = true;
  room.beginning = mark === '*' && count < pageSize(client);
  recount(client.state, room);
  client.hooks.changed();
}

/** What was said last, in place of what is shown, or beside it if that reaches the present already. */
export async function latest(client, room, again = false) {
  if (room.live && !again && room.first) return older(client, room);
  const size = pageSize(client, FIRST);
  const count = await fetch(client, room, 'reset', 'LATEST', ['*'], size);
  room.live = true;
  room.beginning = count < size;
  recount(client.state, room);
  client.hooks.changed();
  return undefined;
}

/** What came before. */
export async function older(client, room) {
  if (room.loading || room.beginning || !room.first) return;
  const count = await fetch(client, room, 'older', 'BEFORE', [`msgid=${room.first}`]);
  if (count < pageSize(client)) room.beginning = true;
}

/** What came after, where the present is not shown. */
export async function newer(client, room) {
  if (room.loading || room.live || !room.last) return;
  const count = await fetch(client, room, 'newer', 'AFTER', [`msgid=${room.last}`]);
  if (count < pageSize(client)) {
    // All that was said meanwhile stood in the page; what comes now is put behind it.
    room.live = true;
    recount(client.state, room);
  }
}

/** The surroundings of a message. */
export async function around(client, room, id) {
  await fetch(client, room, 'reset', 'AROUND', [`msgid=${id}`]);
  room.live = false;
  room.wasLive = false;
}

/** After the line was down: exactly what is missing, else the newest. */
export async function catchUp(client, room) {
  if (!room.last || !room.wasLive) {
    if (room.last && !room.wasLive && room.items.length) return undefined;
    return latest(client, room);
  }
  try {
    for (let pages = 0; pages < GAP_PAGES && !room.live; pages++) await newer(client, room);
  } catch (error) {
    if (error.code === 'OFFLINE') throw error;
    // The message one would go on from is gone.
    await latest(client, room);
  }
  return undefined;
}

/**
 * Which of these messages were stored, although nobody told us: what stands in the log since they were sent is read, and not
 * shown.
 * @returns {Promise<{found: Set<string>, sure: boolean}>} their keys; not sure: there is more to read than is read
 */
export async function settle(client, room, items) {
  const found = new Set();
  const wanted = new Set(items.map((item) => item.key));
  const oldest = Math.min(...items.map((item) => item.time));
  const byTime = `timestamp=${new Date(oldest - CLOCK).toISOString()}`;
  let mark = items.every((item) => item.after) ? `msgid=${items[0].after}` : byTime;
  for (let pages = 0; pages < SETTLE_PAGES; pages++) {
    let lines;
    try {
      lines = await client.ask('CHATHISTORY', ['AFTER', room.name, mark, String(pageSize(client))], { quiet: true });
    } catch (error) {
      // The message one would go on from is gone.
      if (error.code === 'OFFLINE' || mark === byTime) throw error;
      mark = byTime;
      continue;
    }
    for (const line of lines) {
      const key = `n${line.tags['+chatd/nonce'] ?? ''}`;
      if (wanted.has(key) && isMe(client.state, line.nick)) found.add(key);
    }
    const last = lines.findLast((line) => line.tags.msgid);
    if (found.size === wanted.size || lines.length < pageSize(client) || !last) return { found, sure: true };
    mark = `msgid=${last.tags.msgid}`;
  }
  return { found, sure: false };
}
