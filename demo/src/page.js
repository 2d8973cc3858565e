// The page: who is logged in, which apps are theirs, the board of the one that is open, the evidence beside it.
import './style.css';

import { apps } from './apps.js';
import { drawBoard } from './charts.js';
import { engineUrl, openApp } from './engine.js';
import { showBrowser, showEngine } from './panel.js';

const ENDINGS = {
  4003: 'The proxy is restarting.',
  4006: 'You are logged out.',
  4203: 'This app is not yours to open.',
  4204: 'There is no such app.',
};
const at = (id) => document.getElementById(id);
let shown;

const person = await (await fetch('/session')).json();
at('who').textContent = person.name;
at('logout').addEventListener('click', () => fetch('/logout', { method: 'POST' }));
showApps();
await show(person.apps[0]);

function showApps() {
  const buttons = [...apps].map(([id, { title }]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.app = id;
    button.textContent = title;
    button.classList.toggle('foreign', !person.apps.includes(id));
    button.addEventListener('click', () => show(id));
    return button;
  });
  at('apps').replaceChildren(...buttons);
}

async function show(appId) {
  leave();
  const mine = { appId, state: 'opening' };
  shown = mine;
  mark(mine);
  showBrowser(at('browser'), engineUrl(appId));
  try {
    mine.opened = await openApp(appId, (ending) => shown === mine && showEnding(ending));
    if (shown !== mine) return mine.opened.close();
    mine.board = await drawBoard({ app: mine.opened.app, face: apps.get(appId), board: at('board'), selections: at('selections') });
    mine.state = 'open';
    await showEngine(at('engine'));
  } catch (error) {
    if (shown === mine) showFailure(error);
  }
}

function leave() {
  if (!shown) return;
  if (shown.state === 'open') clear(shown);
  else shown.opened?.close();
  shown = undefined;
  at('board').replaceChildren();
  at('selections').replaceChildren();
  at('notice').hidden = true;
  document.body.classList.remove('ended');
}

/** The charts say good-bye to the engine, and then the socket goes. */
function clear({ board, opened }) {
  board.clear();
  opened.app.getAppLayout().finally(opened.close);
}

function mark({ appId }) {
  for (const button of at('apps').children) button.setAttribute('aria-current', String(button.dataset.app === appId));
}

/** The other side ended the socket: say so, with the code that it gave. */
function showEnding({ code, reason }) {
  shown.state = 'closed';
  document.body.classList.add('ended');
  const again = code === 4006 ? ['a', 'Log in again'] : ['button', 'Open again'];
  notice(ENDINGS[code] ?? 'The connection ended.', `The proxy closed the websocket with ${code}${reason ? `: ${reason}` : ''}.`, again);
}

function showFailure(error) {
  if (shown.state === 'closed') return;
  notice('This app could not be opened.', error.message, ['button', 'Try again']);
}

function notice(title, detail, [tag, label]) {
  const strong = document.createElement('strong');
  strong.textContent = title;
  const small = document.createElement('span');
  small.textContent = detail;
  const action = document.createElement(tag);
  action.textContent = label;
  if (tag === 'a') action.href = '/login';
  else action.addEventListener('click', () => show(shown.appId));
  at('notice').replaceChildren(strong, small, action);
  at('notice').hidden = false;
}
