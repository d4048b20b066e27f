// The door: name and password. The password is used once and kept nowhere.

import { field, h, tick } from './dom.js';
import { t } from './i18n.js';

/**
 * @param {object} app
 * @param {{account?: string, error?: string, busy?: boolean}} now
 */
export function loginView(app, { account = '', error = '', busy = false }) {
  const name = h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, value: account, maxlength: '64' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true, maxlength: '512' });
  let keep = true;
  const submit = (event) => {
    event.preventDefault();
    const secret = password.value;
    password.value = '';
    app.login(name.value.trim(), secret, keep);
  };
  const button = h('button', { type: 'submit', class: 'primary', disabled: busy }, t(busy ? 'logging-in' : 'log-in'));
  const form = h(
    'form',
    { class: 'login-card', onsubmit: submit },
    h('img', { src: 'icon.svg', alt: '', width: '56', height: '56' }),
    h('h1', {}, t('welcome')),
    h('p', { class: 'hint' }, location.host),
    h('p', { class: 'error', role: 'alert' }, error),
    field(t('account'), name),
    field(t('password'), password),
    tick(t('stay-logged-in'), keep, (on) => (keep = on)),
    button,
    h('p', { class: 'hint' }, t('no-account')),
  );
  queueMicrotask(() => (account ? password : name).focus());
  return h('main', { class: 'login' }, form);
}
