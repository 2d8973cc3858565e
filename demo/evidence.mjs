// What the engine saw of the last websockets: method, path and headers, credentials masked here on the server,
// so that not one character of a token goes to the page.
const SHOWN = 5;
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** The newest websocket upgrades that reached the engine, newest first, safe to show. */
export async function engineSaw(sim) {
  const answer = await fetch(`${sim}/__sim/requests`, { signal: AbortSignal.timeout(5000) });
  const requests = await answer.json();
  return requests.filter(isUpgrade).slice(-SHOWN).reverse().map(shown);
}

function isUpgrade({ headers }) {
  return headers.some(([name, value]) => name === 'upgrade' && value.toLowerCase() === 'websocket');
}

function shown({ method, target, headers }) {
  return { method, path: target.split('?')[0], headers: headers.map(mask) };
}

function mask([name, value]) {
  if (!SECRET_HEADERS.has(name)) return { name, value };
  const [scheme, token] = value.includes(' ') ? value.split(' ') : ['', value];
  return { name, value: `${scheme} ••••••••••••••••`.trim(), masked: token.length };
}
