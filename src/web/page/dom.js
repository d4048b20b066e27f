// Small helpers over the DOM. Promises that text becomes text: nothing here reads HTML.

/**
 * An element: `h('button', { class: 'x', onclick: f, 'aria-label': 'y' }, 'text', child)`.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|null|undefined|false|Array)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name === 'hue') element.style.setProperty('--hue', value);
    else if (name === 'value' || name === 'checked' || name === 'disabled') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Words for those who listen, beside what everybody sees. @param {string} text */
export const unseen = (text) => text && h('span', { class: 'unseen' }, text);

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  menu: 'M4 6h16M4 12h16M4 18h16',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  people: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 20c0-4 3-6 7-6s7 2 7 6M16 3.5a4 4 0 0 1 0 7.5M18 14.5c2.5.7 4 2.5 4 5.5',
  gear: 'M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 2v3M12 19v3M4.9 4.9l2.1 2.1M17 17l2.1 2.1M2 12h3M19 12h3M4.9 19.1 7 17M17 7l2.1-2.1',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M15 5l-7 7 7 7',
  send: 'M4 12l16-8-5 16-3-7z',
  smile: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.5c1.8 2.2 5.2 2.2 7 0M9 9.5v.01M15 9.5v.01',
  reply: 'M9 6l-5 5 5 5M4 11h9c4 0 7 2.5 7 7',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  down: 'M12 5v14M6 13l6 6 6-6',
  help: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .9-1 1.7M12 17v.01',
  shield: 'M12 3l8 3v6c0 4.5-3.2 7.5-8 9-4.8-1.5-8-4.5-8-9V6z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
};

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that is an icon; its name is read out and shown as a hint. */
export function iconButton(name, label, onclick, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...props }, icon(name));
}

/**
 * Makes the children of `parent` those of `list`, keeping elements (and the focus in them) by their keys.
 * @param {HTMLElement} parent
 * @param {any[]} list
 * @param {(entry: any) => string} keyOf
 * @param {(entry: any) => string} signOf  if it differs, the element is made anew
 * @param {(entry: any) => HTMLElement} make
 */
export function reconcile(parent, list, keyOf, signOf, make) {
  const old = new Map();
  const wanted = new Set(list.map(keyOf));
  // What goes, goes first: the rest then stands in its order, and none of it has to be moved and laid out again.
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) old.set(child.dataset.key, child);
    else child.remove();
  }
  let at = parent.firstElementChild;
  for (const entry of list) {
    const key = keyOf(entry);
    const sign = signOf(entry);
    let element = old.get(key);
    if (!element || element.dataset.sign !== sign) {
      const fresh = make(entry);
      fresh.dataset.key = key;
      fresh.dataset.sign = sign;
      if (element) {
        const focused = element.contains(document.activeElement);
        element.replaceWith(fresh);
        // Moving it would take the focus from it again.
        if (at === element) at = fresh;
        if (focused) (fresh.matches('button,a,[tabindex]') ? fresh : fresh.querySelector('button,a,[tabindex]'))?.focus({ preventScroll: true });
      }
      element = fresh;
    }
    if (element !== at) parent.insertBefore(element, at);
    else at = at.nextElementSibling;
  }
}

/**
 * A dialog that takes the focus and gives it back.
 * @param {string} title
 * @param {string} closeLabel
 * @param {...any} content
 * @returns {HTMLDialogElement}
 */
export function dialog(title, closeLabel, ...content) {
  const id = `dialog-${(dialogs += 1)}`;
  const back = document.activeElement;
  const element = h(
    'dialog',
    { 'aria-labelledby': id },
    h('header', {}, h('h2', { id }, title), iconButton('close', closeLabel, () => element.close())),
    h('div', { class: 'dialog-body' }, ...content),
  );
  element.addEventListener('close', () => {
    element.remove();
    if (back instanceof HTMLElement && back.isConnected) back.focus();
  });
  element.addEventListener('mousedown', (event) => {
    if (event.target === element) element.close();
  });
  document.body.append(element);
  element.showModal();
  // What it is for comes first, not the way out of it.
  element.querySelector('.dialog-body :is(input, select, button)')?.focus();
  return element;
}
let dialogs = 0;

let fields = 0;
/** A labelled field. @param {string} label @param {HTMLElement} control @param {string} [hint] */
export function field(label, control, hint = '') {
  const id = `field-${(fields += 1)}`;
  control.id = id;
  const note = hint && h('p', { class: 'hint', id: `${id}-hint` }, hint);
  if (note) control.setAttribute('aria-describedby', note.id);
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, note);
}

/** A box to tick. @param {string} label @param {boolean} checked @param {(on: boolean) => void} onchange */
export function tick(label, checked, onchange, disabled = false) {
  const box = h('input', { type: 'checkbox', checked, disabled, onchange: () => onchange?.(box.checked) });
  return h('label', { class: 'tick' }, box, h('span', {}, label));
}
