// Telling somebody who is looking elsewhere: notifications (if they were allowed by a click), the title, a badge.

import { t } from './i18n.js';
import { plain, unstyled } from './text.js';

const supported = () => 'Notification' in globalThis;
export const allowed = () => supported() && Notification.permission === 'granted';
export const refused = () => !supported() || Notification.permission === 'denied';

/** To be called from a click. */
export async function ask() {
  return supported() && (await Notification.requestPermission()) === 'granted';
}

export function show({ room, item }, onclick) {
  const title = room.direct ? plain(item.nick) : `${plain(item.nick)} · ${plain(room.name)}`;
  say(title, room.key, onclick, plain(unstyled(item.text)).slice(0, 200));
}

/** @param {string} tag  a later one with the same tag takes its place */
export function say(title, tag, onclick, body = '') {
  if (!allowed()) return;
  try {
    const note = new Notification(title, { body, tag, icon: 'icon-192.png' });
    note.onclick = () => {
      window.focus();
      note.close();
      onclick();
    };
  } catch {
    // Some phones allow it only to service workers.
  }
}

/** The number that waits for one stands in the title and on the icon. */
export function badge(room, network, { unread, mentioned }) {
  const where = room ? plain(room.name) : '';
  const count = mentioned ? `(${mentioned}) ` : unread ? '• ' : '';
  document.title = count + [where, network || 'chatd'].filter(Boolean).join(' · ');
  const set = mentioned ? navigator.setAppBadge?.(mentioned) : navigator.clearAppBadge?.();
  set?.catch?.(() => {});
}

export const explain = () => (refused() ? t('notifications-refused') : t('notifications-hint'));
