// Sessions of the libraries that write down what they say of their sockets.
import { openAppSession } from '@qlik/api/qix';

import { SALES } from './apps.mjs';
import { sessionOf, versions } from './enigma.mjs';
import { until, within } from './waiting.mjs';

const [library] = versions;
const SECOND = 1_000;
const SHOUT = 'x'.repeat(100_000);

/** An enigma.js session, and what it says. */
export function enigmaSession(url, settings) {
  const session = sessionOf(library, url, {}, settings);
  const events = [];
  for (const type of ['closed', 'suspended', 'resumed']) {
    session.on(type, (event) => events.push({ type, code: event?.code, at: Date.now() }));
  }
  let global;
  return {
    session,
    events,
    heard: (type) => until(`the event ${type}`, () => events.find((event) => event.type === type)),
    opened: async () => {
      global = await session.open();
      return global.openDoc(SALES);
    },
    isAlive: () => within('an answer', global.engineVersion()).then(() => true, () => false),
    shout: () => global.openDoc(SHOUT).catch(() => {}),
  };
}

/** A session of @qlik/api, and what it says. */
export function apiSession(host, appId) {
  const session = openAppSession({ appId, hostConfig: { host, authType: 'apikey', apiKey: 'of no use' } });
  const events = [];
  session.onWebSocketEvent(({ eventType, ...event }) => events.push({ type: eventType, code: event.code, at: Date.now() }));
  let doc;
  return {
    session,
    events,
    heard: (type) => until(`the event ${type}`, () => events.find((event) => event.type === type)),
    opened: async () => {
      doc = await session.getDoc();
      return doc;
    },
    isAlive: () => within('an answer', doc.getAppLayout()).then(() => true, () => false),
    shout: () => doc.getField(SHOUT).catch(() => {}),
  };
}

/** What becomes of a suspended session that is told to resume: it works, or it is closed with a code. */
export async function tellsToResume({ session, events, isAlive }) {
  const before = events.length;
  const failure = await within('an end of resuming', session.resume().then(() => undefined, (error) => error));
  // Who is accepted only to be told the code has resumed, for the library, until the Close comes.
  await new Promise((resolve) => setTimeout(resolve, SECOND));
  const again = events.slice(before).find(({ type }) => type === 'suspended');
  if (failure || again) return `is refused with ${again?.code ?? failure.original?.code}`;
  return (await isAlive()) ? 'resumes when told to' : 'is dead';
}
