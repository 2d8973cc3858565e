// The evidence beside the charts: what this browser holds, and what the engine was told instead.

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

/** Lists the newest upgrade that the engine took, the injected credential first. */
export async function showEngine(list) {
  const answer = await fetch('/engine-saw');
  if (!answer.ok) return;
  const [newest] = await answer.json();
  if (!newest) return;
  const secret = newest.headers.filter(({ masked }) => masked);
  const plain = newest.headers.filter(({ masked }) => !masked);
  fill(list, [
    ['Request', `${newest.method} ${newest.path}`],
    ...secret.map(({ name, value, masked }) => [name, value, `${masked} characters, masked`, 'secret']),
    ...plain.map(({ name, value }) => [name, value]),
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
