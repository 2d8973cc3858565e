// The evidence beside the charts: what this browser holds, and what the engine was told instead.

const TOLD = ['authorization', 'cookie', 'host'];

/** Lists what a script on this page could find: cookies, storage, the websocket's address. */
export function showBrowser(list, url) {
  const readable = document.cookie.split(';').map((pair) => pair.split('=')[0].trim()).filter(Boolean);
  fill(list, [
    ['Cookies', 'app_session', 'HttpOnly: sent to the app, closed to scripts'],
    ['Cookies a script can read', readable.join(', ') || 'none'],
    ['Stored', storedKeys().join(', ') || 'nothing'],
    ['Websocket', url, 'no token in it'],
  ]);
}

/** Lists the newest upgrade that the engine took. */
export async function showEngine(list) {
  const answer = await fetch('/engine-saw');
  if (!answer.ok) return;
  const [newest] = await answer.json();
  if (!newest) return;
  const header = (name) => newest.headers.find((one) => one.name === name);
  const { value, masked } = header('authorization') ?? { value: 'none' };
  const rest = newest.headers.map(({ name }) => name).filter((name) => !TOLD.includes(name));
  fill(list, [
    ['Request', `${newest.method} ${newest.path}`],
    ['Authorization', value, masked && `${masked} characters, added by the proxy, masked by the app`, 'secret'],
    ['Cookie', header('cookie')?.value ?? 'none', 'the browser’s stayed with the proxy'],
    ['Host', header('host')?.value ?? 'none'],
    ['Other headers', rest.join(', ')],
  ]);
}

function storedKeys() {
  return [...Object.keys(localStorage), ...Object.keys(sessionStorage)];
}

function fill(list, rows) {
  list.replaceChildren(...rows.flatMap(row));
}

function row([name, value, remark, kind = '']) {
  const shown = [text('dt', name, kind), text('dd', value, kind)];
  return remark ? [...shown, text('dd', remark, `remark ${kind}`)] : shown;
}

function text(tag, content, className) {
  const element = document.createElement(tag);
  element.textContent = content;
  element.className = className;
  return element;
}
