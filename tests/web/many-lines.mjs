// Makes a long room out of a small server, to measure the page with: `chatd export small.jsonl --with-secrets`, then
// `node tests/web/many-lines.mjs 100000 <small.jsonl >large.jsonl` and `chatd import large.jsonl` into an empty folder.
// The first room gets the lines, from the first accounts, short and long ones over some weeks; always the same.

import { createInterface } from 'node:readline';

const LINES = Number(process.argv[2] ?? 100_000);
const WORDS = 'the a of room kettle notes release tea oolong page line hello think morning deploy review 早上好 乌龙茶 会议 thanks https://example.org/notes/42 `cargo build` why because window scroll'.split(' ');
const LENGTHS = [3, 5, 8, 12, 20, 40, 80];
const GAPS = [2_000, 5_000, 20_000, 60_000];

let seed = 7;
const roll = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};
const one = (list) => list[roll(list.length)];

const rows = [];
for await (const line of createInterface({ input: process.stdin })) rows.push(JSON.parse(line));
const head = rows.shift();
rows.pop();
const of = (table) => rows.filter((each) => each.table === table).map((each) => each.row);
const room = of('rooms').find((each) => each.kind === 'channel');
const people = of('accounts').filter((each) => !each.removed).slice(0, 4);
if (!room || !people.length) throw new Error('the export has no room, or no account');

let count = 0;
const out = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const put = (table, row) => (out({ table, row }), (count += 1));

const texts = Array.from({ length: LINES }, (_, n) => `line ${n} ${Array.from({ length: one(LENGTHS) }, () => one(WORDS)).join(' ')}`);
const gaps = texts.map(() => one(GAPS));
let time = Date.now() - gaps.reduce((a, b) => a + b, 60_000);
room.created = time;

out(head);
for (const { table, row } of rows) {
  if (['members', 'markers', 'events', 'log'].includes(table)) continue;
  put(table, row);
  if (table !== 'rooms' || row.id !== room.id) continue;
  people.forEach((person, at) => put('members', { account_id: person.id, joined: at + 2, op: 0, present: 0, room_id: room.id, voice: 0 }));
  const log = [];
  const event = (row, spoken) => {
    const id = log.length + 1;
    put('events', { id, room_id: room.id, time, ...row });
    log.push({ event_id: id, room_id: room.id, seq: id, spoken });
  };
  event({ kind: 18, text: room.modes }, 0);
  for (const person of people) event({ kind: 10, actor: person.name, actor_id: person.id, text: person.name }, 0);
  let who = people[0];
  texts.forEach((text, at) => {
    time += gaps[at];
    if (roll(10) < 4) who = one(people);
    event({ kind: 1, actor: who.name, actor_id: who.id, text }, 1);
  });
  for (const each of log) put('log', each);
}
out({ rows: count });
