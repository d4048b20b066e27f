// The conversation on the screen: a window of rows over a list of any length, moved along while one scrolls.
// Promises that what one looks at stays where it is, whatever is put before or behind it, and that the DOM stays small.

import { h, icon, iconButton, reconcile } from './dom.js';
import { newer, older } from './history.js';
import { t } from './i18n.js';
import { knownAs } from './state.js';
import { plain } from './text.js';
import { copied, framing, row } from './view-message.js';

/** Rows in the DOM at most, those at first, and how near to the end of the window makes it move (pixels). */
const ROWS_MAX = 180;
const ROWS = 60;
const NEAR = 900;
/** Rows by which the window moves: as many as are made and laid out in a part of one frame. */
const STEP = 16;
/** Rows that are loaded and not yet shown, beyond which more are fetched while one scrolls. */
const AHEAD = 150;

export class Timeline {
  start = 0;
  end = 0;
  pinned = true;

  constructor(app) {
    this.app = app;
    this.list = h('div', { class: 'rows' });
    this.top = h('div', { class: 'edge' });
    this.bottom = h('div', { class: 'edge' });
    this.scroller = h('div', { class: 'timeline', role: 'log', 'aria-live': 'off', tabindex: '0', 'aria-label': t('conversation') }, this.top, this.list, this.bottom);
    this.present = h('button', { type: 'button', class: 'to-present', hidden: true, onclick: () => this.toPresent() }, icon('down'), h('span', {}, t('to-present')));
    this.element = h('div', { class: 'timeline-box' }, this.scroller, this.present);
    this.tools = this.toolbar();
    this.scroller.addEventListener('scroll', () => this.scrolled(), { passive: true });
    this.list.addEventListener('mouseover', (event) => this.tool(event.target.closest('.row')));
    this.list.addEventListener('focusin', (event) => this.tool(event.target.closest('.row')));
    this.list.addEventListener('click', (event) => this.tool(event.target.closest('.row')));
    this.scroller.addEventListener('keydown', (event) => this.key(event));
    this.scroller.addEventListener('copy', (event) => this.copy(event));
    new ResizeObserver(() => this.pinned && this.stick()).observe(this.scroller);
    new ResizeObserver(() => this.pinned && this.stick()).observe(this.list);
  }

  get rows() {
    const { room } = this;
    if (!room) return [];
    return room.pending.length && (room.live || !room.items.length || this.app.client.connection.phase !== 'online')
      ? [...room.items, ...room.pending] : room.items;
  }

  render() {
    const room = this.app.room;
    if (room !== this.room) {
      this.room = room;
      this.pinned = true;
      this.first = null;
      this.target = '';
      this.atLine = Boolean(room?.lineAt);
      this.list.replaceChildren();
    }
    const rows = this.rows;
    const first = this.first;
    this.frame(rows);
    const widened = first && rows[this.start] !== first && !this.pinned;
    this.draw(rows);
    if (this.target) this.reveal(rows);
    // Becoming live moves nothing, so no scrolling says that the end is in sight.
    if (rows.length && !this.pinned && this.atNewest()) {
      this.pinned = true;
      this.app.seen();
    }
    this.edges();
    // Where nothing of what was fetched is shown (people came and went), more of it is wanted.
    if (room?.synced && !rows.length && room.live) this.app.client.fill(room);
    else if (widened) this.app.touch('timeline');
    else if (room && rows.length) this.more();
  }

  /** Where the window is, after the list has changed. */
  frame(rows) {
    const size = Math.max(ROWS, Math.min(ROWS_MAX, this.end - this.start));
    const wanted = this.target && rows.findIndex((item) => item.id === this.target);
    if (this.target && wanted >= 0) {
      this.pinned = false;
      this.start = Math.max(0, wanted - ROWS);
      this.end = Math.min(rows.length, wanted + ROWS);
      return;
    }
    const at = this.pinned || !this.first ? -1 : rows.indexOf(this.first);
    if (at < 0) {
      this.end = rows.length;
      this.start = Math.max(0, rows.length - ROWS * 2);
    } else {
      // What came before the first row is drawn together with what that changes in it (its date goes): at the very top
      // there would be nothing to scroll by, and it would jump.
      this.start = this.scroller.scrollTop < NEAR ? Math.max(0, at - STEP) : at;
      this.end = Math.min(rows.length, at + size, this.start + ROWS_MAX);
    }
  }

  /** Makes the rows of the window, and leaves what is looked at in its place. */
  draw(rows) {
    const anchor = this.pinned ? null : this.anchor();
    const shown = rows.slice(this.start, this.end);
    this.first = shown[0] ?? null;
    const { app, room } = this;
    const frames = new Map();
    shown.forEach((item, at) => {
      const before = at ? shown[at - 1] : rows[this.start - 1];
      frames.set(item, framing(item, before, room?.lineAt ?? 0));
    });
    const sign = (item) => {
      const { newDay, unread, head } = frames.get(item);
      const quoted = item.replyTo ? room.byId.has(item.replyTo) : false;
      return `${item.rev}${item.pending}${newDay ? 'd' : ''}${unread ? 'u' : ''}${head ? 'h' : ''}${quoted ? 'q' : ''}${head ? knownAs(app.state, item.nick) : ''}`;
    };
    reconcile(this.list, shown, (item) => item.key, sign, (item) => row(app, room, item, frames.get(item)));
    if (this.pinned) {
      this.stick();
      if (this.atLine && room?.live) {
        // The first look at a room goes to what is new in it.
        const line = this.list.querySelector('.fresh');
        if (line && !room.loading) {
          this.atLine = false;
          // If more is unread than is loaded, there is no first of it to go to.
          const inside = this.start > 0 || line.closest('.row') !== this.list.firstElementChild;
          if (inside && line.offsetTop < this.scroller.scrollTop) {
            this.scroller.scrollTop = line.offsetTop - 60;
            this.pinned = false;
          }
        } else if (!room.loading) this.atLine = false;
      }
    } else if (anchor) {
      const element = this.elementOf(anchor.key);
      if (element) {
        const moved = element.offsetTop - this.scroller.scrollTop - anchor.offset;
        if (Math.abs(moved) > 0.5) this.scroller.scrollTop += moved;
      }
    }
  }

  elementOf(key) {
    for (const child of this.list.children) if (child.dataset.key === key) return child;
    return null;
  }

  /** The first row that can be seen, and where; not the first of all, which loses its date when something comes before it. */
  anchor() {
    const top = this.scroller.scrollTop;
    const { children } = this.list;
    let low = 0;
    let high = children.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (children[middle].offsetTop + children[middle].offsetHeight > top) high = middle;
      else low = middle + 1;
    }
    const element = children[low || Math.min(1, children.length - 1)];
    return element ? { key: element.dataset.key, offset: element.offsetTop - top } : null;
  }

  stick() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Whether the newest that there is can be seen. */
  atNewest() {
    const { room, scroller } = this;
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    return below < 30 && this.end >= this.rows.length && (room.live || !room.synced);
  }

  scrolled() {
    if (!this.room) return;
    const was = this.pinned;
    this.pinned = this.atNewest();
    if (this.pinned && !was) this.app.seen();
    this.more();
    this.edges();
  }

  /** Moves the window, or fetches what it will need. */
  more() {
    const { room, scroller } = this;
    const rows = this.rows;
    const above = scroller.scrollTop;
    const below = scroller.scrollHeight - above - scroller.clientHeight;
    const height = scroller.clientHeight;
    if (!height) return;
    const near = Math.max(NEAR, height);
    // What was fetched may be in the list already, and not yet drawn: then the window has other numbers.
    if (this.first && rows[this.start] !== this.first) this.frame(rows);
    if (above < near && this.start > 0) {
      this.pinned = this.pinned && below < 30;
      this.start = Math.max(0, this.start - STEP);
      if (!this.pinned) this.end = Math.min(this.end, this.start + ROWS_MAX);
      this.draw(rows);
    } else if (below < near && !this.pinned && this.end < rows.length) {
      this.end = Math.min(rows.length, this.end + STEP);
      this.start = Math.max(this.start, this.end - ROWS_MAX);
      this.draw(rows);
    }
    this.fetch(rows, above < near);
  }

  /** Asks for what will be wanted next, before its end is reached; who only looks at the newest gets no more than that. */
  fetch(rows, nearTop) {
    const { room, pinned } = this;
    const { client } = this.app;
    if (room.loading) return;
    const wantsOlder = pinned ? nearTop && this.start === 0 : this.start < AHEAD;
    if (wantsOlder && !room.beginning && room.first && client.ready) older(client, room).catch(() => {});
    else if (!pinned && rows.length - this.end < AHEAD && !room.live && room.last && room.synced) newer(client, room).catch(() => {});
  }

  edges() {
    const { room } = this;
    if (!room) {
      const { client, state } = this.app;
      this.top.textContent = t(client.ready && !state.rooms.size ? 'no-room-yet' : 'loading');
      return;
    }
    let above = '';
    if (room.loading === 'older' || (room.loading === 'reset' && !room.items.length)) above = t('loading');
    else if (room.beginning && this.start === 0) above = t(room.direct ? 'beginning-direct' : 'beginning', { name: plain(room.name) });
    if (this.top.textContent !== above) this.top.textContent = above;
    const below = room.loading === 'newer' ? t('loading') : '';
    if (this.bottom.textContent !== below) this.bottom.textContent = below;
    this.present.hidden = this.pinned || (!room.items.length && !room.pending.length);
  }

  toPresent() {
    const { room } = this;
    this.pinned = true;
    this.target = '';
    this.atLine = false;
    this.first = null;
    if (!room.live && room.synced) this.app.present(room);
    this.render();
    this.app.seen();
  }

  /** Shows one message, which must be loaded. */
  reveal(rows) {
    if (!rows.some((item) => item.id === this.target)) return;
    const item = rows.find((each) => each.id === this.target);
    const element = this.elementOf(item.key);
    this.target = '';
    if (!element) return;
    this.scroller.scrollTop = element.offsetTop - this.scroller.clientHeight / 3;
    element.classList.add('found');
    setTimeout(() => element.classList.remove('found'), 2_500);
    element.focus({ preventScroll: true });
    this.scrolled();
  }

  // --- keys, tools, copying ---

  key(event) {
    const current = document.activeElement?.closest?.('.row');
    const go = (element) => {
      element?.focus({ preventScroll: true });
      element?.scrollIntoView({ block: 'nearest' });
    };
    const plainKey = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plainKey || event.target.closest('input,textarea')) return;
    const item = current?.item;
    const act = {
      ArrowUp: () => go(current ? current.previousElementSibling : this.list.lastElementChild),
      ArrowDown: () => (current && !current.nextElementSibling && this.pinned ? this.app.composer.focus() : go(current?.nextElementSibling)),
      End: () => this.toPresent(),
      Escape: () => this.app.composer.focus(),
      r: () => item?.id && this.app.reply(item),
      e: () => item?.id && this.app.pickReaction(item, current),
      Delete: () => item?.id && this.app.redact(item),
    }[event.key];
    if (!act || (event.target.closest('button') && event.key.length === 1)) return;
    event.preventDefault();
    act();
  }

  toolbar() {
    const on = (act) => () => {
      const target = this.tools.parentElement?.item;
      if (target) act(target, this.tools.parentElement);
    };
    const { app } = this;
    this.removeTool = iconButton('trash', t('take-back'), on((item) => app.redact(item)));
    return h('div', { class: 'tools', role: 'toolbar', 'aria-label': t('message-actions') },
      iconButton('smile', t('react'), on((item, element) => app.pickReaction(item, element))),
      iconButton('reply', t('reply'), on((item) => app.reply(item))),
      this.removeTool);
  }

  tool(element) {
    if (!element || this.tools.parentElement === element) return;
    const item = element.item;
    if (!item?.id || item.kind === 'event' || item.redacted) return this.tools.remove();
    this.removeTool.hidden = !this.app.mayRedact(this.room, item);
    element.append(this.tools);
    return undefined;
  }

  /** What is selected over several messages is copied as lines: who, and what. */
  copy(event) {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return;
    const rows = [...this.list.children].filter((element) => selection.containsNode(element, true));
    if (rows.length < 2) return;
    const lines = rows.map((element) => copied(element.item));
    event.clipboardData.setData('text/plain', lines.join('\n'));
    event.preventDefault();
  }
}
