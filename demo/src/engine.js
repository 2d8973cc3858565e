// The whole of what pointing enigma.js at the proxy takes: a URL on the page's own origin. No token, no header.
import enigma from 'enigma.js';
import schema from 'enigma.js/schemas/12.2027.0.json';

/** The websocket's address for an app. */
export function engineUrl(appId) {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/qlik/app/${encodeURIComponent(appId)}`;
}

/** Opens an app. `onClosed` is told the code and the reason when the other side ends the socket. */
export async function openApp(appId, onClosed) {
  const session = enigma.create({ schema, url: engineUrl(appId) });
  session.on('closed', ({ code, reason }) => onClosed({ code, reason }));
  const global = await session.open();
  const app = await global.openDoc(appId);
  return { app, close: () => session.close() };
}
