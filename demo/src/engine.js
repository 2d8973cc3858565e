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
  const app = await openedApp(await session.open(), appId);
  return { app, close: () => session.close() };
}

/** The engine keeps a session a while for whoever comes back; then its app is open already. */
function openedApp(global, appId) {
  return global.openDoc(appId).catch((error) => {
    if (error.code === schema.enums.LocalizedErrorCode.LOCERR_APP_ALREADY_OPEN) return global.getActiveDoc();
    throw error;
  });
}
