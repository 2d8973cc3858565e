// enigma.js, the new and the old, and how each is opened: as a browser with a cookie, or as a program with a bearer.
import { createRequire } from 'node:module';

import enigma from 'enigma.js';
import oldEnigma from 'enigma.js-2.7';
import WebSocket from 'ws';

const require = createRequire(import.meta.url);

/** `tellsOriginal`: whether a call that a closed socket cut off says with what code it was closed. */
export const versions = [
  { version: '2.15', create: enigma.create, schema: require('enigma.js/schemas/12.2027.0.json'), tellsOriginal: true },
  { version: '2.7', create: oldEnigma.create, schema: require('enigma.js-2.7/schemas/12.612.0.json'), tellsOriginal: false },
];

/** A session that is not open yet. `headers` are what tells the proxy (or the engine) who asks. */
export function sessionOf({ create, schema }, url, headers, settings = {}) {
  return create({ schema, url: url.replace(/^http/, 'ws'), createSocket: (address) => new WebSocket(address, { headers }), ...settings });
}

/** The headers of a program that holds the token. */
export function bearer(token) {
  return { Authorization: `Bearer ${token}` };
}

/** The headers of a browser on a page of `origin` whose cookie holds the token. */
export function cookie(token, origin) {
  return { Cookie: `app_session=${token}`, Origin: origin };
}
