// What this browser keeps between visits: the device token, and how the page is liked. Never a password.
// The token is as good as a login, so it lies in the storage of this origin alone, which no other site can read; it can
// be taken back at any time, and logging out does it.

const store = (() => {
  try {
    localStorage.setItem('chatd.probe', '1');
    localStorage.removeItem('chatd.probe');
    return localStorage;
  } catch {
    // Storage is forbidden: the page works, and forgets when it is closed.
    const map = new Map();
    return { getItem: (key) => map.get(key) ?? null, setItem: (key, value) => map.set(key, value), removeItem: (key) => map.delete(key) };
  }
})();

function read(name, otherwise) {
  try {
    return JSON.parse(store.getItem(`chatd.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** @returns {{account: string, token: string, device: string} | null} */
export const session = () => read('session', null);
export const keepSession = (value) => store.setItem('chatd.session', JSON.stringify(value));
export const forgetSession = () => store.removeItem('chatd.session');

/** @returns {{theme: string, language: string, presence: boolean, notify: boolean}} */
export const liked = () => ({ theme: 'system', language: '', presence: false, notify: false, ...read('liked', {}) });
export const like = (change) => store.setItem('chatd.liked', JSON.stringify({ ...liked(), ...change }));

export const lastRoom = () => read('room', '');
export const keepRoom = (name) => store.setItem('chatd.room', JSON.stringify(name));
