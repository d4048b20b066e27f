// Pages of the past: the newest, older, newer, around a message; and the gap after the line was down.
// Knows the client's questions and the state. Promises that one page of a room is asked for at a time.

import { forget, page, recount } from './state.js';

export const PAGE = 100;
/** Pages that are fetched one after the other to close a gap; a longer one is closed while scrolling. */
const GAP_PAGES = 10;

/**
 * @param {import('./client.js').Client} client
 * @param {'older'|'newer'|'reset'} where
 */
async function fetch(client, room, where, subcommand, marks, count = PAGE) {
  room.loading = where;
  client.state.touched.add('timeline');
  try {
    const lines = await client.ask('CHATHISTORY', [subcommand, room.name, ...marks, String(count)]);
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
  const count = await fetch(client, room, 'reset', 'LATEST', [mark], PAGE);
  room.live = true;
  room.beginning = mark === '*' && count < PAGE;
  recount(client.state, room);
  client.hooks.changed();
}

/** What was said last, in place of what is shown, or beside it if that reaches the present already. */
export async function latest(client, room, again = false) {
  if (room.live && !again && room.first) return older(client, room);
  const count = await fetch(client, room, 'reset', 'LATEST', ['*'], PAGE);
  room.live = true;
  room.beginning = count < PAGE;
  recount(client.state, room);
  client.hooks.changed();
  return undefined;
}

/** What came before. */
export async function older(client, room) {
  if (room.loading || room.beginning || !room.first) return;
  const count = await fetch(client, room, 'older', 'BEFORE', [`msgid=${room.first}`]);
  if (count < PAGE) room.beginning = true;
}

/** What came after, where the present is not shown. */
export async function newer(client, room) {
  if (room.loading || room.live || !room.last) return;
  const count = await fetch(client, room, 'newer', 'AFTER', [`msgid=${room.last}`]);
  if (count < PAGE) {
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
