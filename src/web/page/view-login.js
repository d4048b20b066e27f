// The door: name and password, used once and kept nowhere; and what is said while one waits behind it.

import { field, h, tick } from './dom.js';
import { t } from './i18n.js';

/**
 * @param {object} app
 * @param {{account?: string, error?: string}} now
 */
export function loginView(app, { account = '', error = '' }) {
  const name = h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, value: account, maxlength: '64' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true, maxlength: '512' });
  let keep = true;
  const submit = (event) => {
    event.preventDefault();
    const secret = password.value;
    password.value = '';
    app.login(name.value.trim(), secret, keep);
  };
  queueMicrotask(() => (account ? password : name).focus());
  return card(
    'form',
    { onsubmit: submit },
    h('p', { class: 'error', role: 'alert' }, error),
    field(t('account'), name),
    field(t('password'), password),
    tick(t('stay-logged-in'), keep, (on) => (keep = on)),
    h('button', { type: 'submit', class: 'primary' }, t('log-in')),
    h('p', { class: 'hint' }, t('no-account'), ' ', h('button', { type: 'button', class: 'link', onclick: () => app.newcomer() }, t('new-account'))),
  );
}

/** What all that stands before the first room has in common. */
export function card(tag, props, ...content) {
  return h('main', { class: 'login' }, h(tag, { class: 'login-card', ...props },
    h('img', { src: 'icon.svg', alt: '', width: '56', height: '56' }), h('h1', {}, t('welcome')), h('p', { class: 'hint' }, location.host), ...content));
}

/** Says how far it is, until the first room is there. */
export function waitingView(app) {
  const words = h('p', { role: 'status' });
  const again = h('button', { type: 'button', hidden: true, onclick: () => app.client.connection.retryNow() }, t('now'));
  const element = card('div', { class: 'login-card waiting' }, words, again);
  const says = { connecting: 'connecting', registering: 'logging-in', online: 'loading', waiting: 'unreachable', closed: 'unreachable' };
  const show = (phase) => {
    words.textContent = t(says[phase]);
    again.hidden = phase !== 'waiting';
  };
  show('connecting');
  return { element, show };
}
