// A small choice of emoji, for reactions and for writing; any other can be typed.

import { h } from './dom.js';
import { t } from './i18n.js';

export const EMOJI = [...'👍❤️😂🎉😮😢🙏👀✅🚀🔥👏🤔😅😊😍🥳💯👋🙌💪☕🐛⭐'.matchAll(/\p{Emoji}\uFE0F?/gu)].map(([each]) => each);

/** Opens the list beside `anchor`; `pick` is called with what was chosen. */
export function emojiList(anchor, pick) {
  document.querySelector('.emoji-list')?.close();
  const back = document.activeElement;
  const choose = (emoji) => {
    list.close();
    pick(emoji);
  };
  const other = h('input', { 'aria-label': t('other-emoji'), placeholder: t('other-emoji'), maxlength: '16', onkeydown: (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    if (other.value.trim()) choose(other.value.trim());
  } });
  const buttons = EMOJI.map((emoji) => h('button', { type: 'button', onclick: () => choose(emoji) }, emoji));
  const grid = h('div', { class: 'emoji-grid', onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[at + step]?.focus();
  } }, buttons);
  const list = h('dialog', { class: 'emoji-list', 'aria-label': t('emoji') }, grid, other);
  list.addEventListener('close', () => {
    list.remove();
    if (back instanceof HTMLElement && back.isConnected) back.focus();
  });
  list.addEventListener('mousedown', (event) => event.target === list && list.close());
  document.body.append(list);
  list.showModal();
  const box = anchor.getBoundingClientRect();
  const own = list.getBoundingClientRect();
  list.style.left = `${Math.max(8, Math.min(box.right - own.width, innerWidth - own.width - 8))}px`;
  list.style.top = `${Math.max(8, box.top - own.height - 8 > 0 ? box.top - own.height - 8 : Math.min(box.bottom + 8, innerHeight - own.height - 8))}px`;
  buttons[0].focus();
}
