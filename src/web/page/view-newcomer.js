// The door for newcomers: a name and a password of one's own, the code of an invitation if the server wants one. Fetched
// when somebody asks for it.

import { field, h } from './dom.js';
import { t } from './i18n.js';
import { Newcomer } from './newcomer.js';
import { plain } from './text.js';
import { card } from './view-login.js';

export function newcomerView(app) {
  const problem = h('p', { class: 'error', role: 'alert' });
  const body = h('div', {}, h('p', { role: 'status' }, t('connecting')));
  let talk = null;
  const call = () => {
    talk?.close();
    talk = new Newcomer(app.address);
    return talk;
  };
  const back = () => {
    talk?.close();
    app.door({});
  };
  const says = (error) => {
    const own = t(`refused-${error.code}`);
    problem.textContent = own === `refused-${error.code}` ? plain(error.message) : own;
  };
  const form = (submit, word, ...content) => {
    const button = h('button', { type: 'submit', class: 'primary' }, word);
    const go = async (event) => {
      event.preventDefault();
      problem.textContent = '';
      button.disabled = true;
      try {
        await submit();
      } catch (error) {
        says(error);
      }
      button.disabled = false;
    };
    body.replaceChildren(h('form', { onsubmit: go }, ...content, button));
    body.querySelector('input').focus();
  };

  const name = h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, maxlength: '64' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'new-password', required: true, maxlength: '300' });
  const again = h('input', { name: 'again', type: 'password', autocomplete: 'new-password', required: true, maxlength: '300' });
  const code = h('input', { name: 'code', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', required: true, maxlength: '100' });
  const made = () => {
    talk.close();
    app.login(name.value.trim(), password.value, true);
  };
  const askName = () => form(async () => {
    if (password.value !== again.value) {
      problem.textContent = t('not-the-same');
      return;
    }
    const outcome = await call().register(name.value.trim(), password.value);
    if (outcome === 'made') made();
    else askCode();
  }, t('make-account'), field(t('account'), name, t('account-hint')), field(t('password'), password), field(t('password-repeat'), again));
  const askCode = () => form(async () => {
    await talk.verify(code.value.trim());
    made();
  }, t('make-account'), h('p', {}, t('code-wanted')), field(t('invitation-code'), code));

  const begin = async () => {
    try {
      if (await call().offered()) askName();
      else body.replaceChildren(h('p', {}, t('no-newcomers')));
    } catch (error) {
      body.replaceChildren();
      says(error);
    }
  };
  begin();
  return card('div', {}, h('h2', {}, t('new-account')), problem, body, h('p', { class: 'hint' }, h('button', { type: 'button', class: 'link', onclick: back }, t('back-to-login'))));
}
