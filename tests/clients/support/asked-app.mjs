// Those whom a proxy asks about sessions, as small as can be: an app with an endpoint (`forward-auth`), an authorisation server
// with opaque tokens (`introspection`), and a store of sessions (`redis`). Each has as many sessions of a person as there are
// clients.
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClient } from 'redis';

import { listen, readForm } from './http.mjs';
import { startRedis } from './redis-app.mjs';

/** The app whose endpoint is asked who somebody is. */
export async function startAskedApp({ clients, apps }) {
  const sessions = new Map();
  const granted = new Map();
  let failing = false;
  const server = await listen((request, response) => {
    const user = sessions.get(/app_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]);
    if (failing || !user) return response.writeHead(failing ? 500 : 401).end();
    return tell(response, { user, session: request.headers.cookie, apps: granted.get(user) ?? apps });
  });
  return {
    url: server.url,
    stop: server.stop,
    fail: (whether) => {
      failing = whether;
    },
    logIn: (user) => clients.map((client) => {
      sessions.set(`${user}-${client}`, user);
      return `${user}-${client}`;
    }),
    logOut: (user) => clients.forEach((client) => sessions.delete(`${user}-${client}`)),
    grant: (user, others) => granted.set(user, others),
  };
}

/** The authorisation server that is asked about tokens. */
export async function startAuthority({ clients, apps }) {
  const tokens = new Map();
  const server = await listen(async (request, response) => {
    const token = (await readForm(request)).get('token');
    const sub = tokens.get(token);
    tell(response, sub ? { active: true, sub, sid: token, apps, token_type: 'Bearer' } : { active: false });
  });
  return {
    url: server.url,
    stop: server.stop,
    issue: (user) => clients.map((client) => {
      tokens.set(`${user}.${client}`, user);
      return `${user}.${client}`;
    }),
    revoke: (user) => clients.forEach((client) => tokens.delete(`${user}.${client}`)),
  };
}

/** The store in which an app keeps its sessions as express-session does, signed with `secret`; a real Redis. */
export async function startStore({ clients, apps, secret }) {
  const folder = await mkdtemp(join(tmpdir(), 'qix-store-'));
  const redis = await startRedis(folder);
  const client = createClient({ url: redis.url });
  // It is killed on purpose.
  client.on('error', () => {});
  await client.connect();
  const idsOf = (user) => clients.map((name) => `${user}-${name}`);
  const keysOf = (user) => idsOf(user).map((id) => `sess:${id}`);
  const sign = (id) => createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  return {
    url: redis.url,
    kill: redis.kill,
    stop: async () => {
      client.destroy();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
    /** Logs in for so many milliseconds; gives the cookies. */
    logIn: async (user, lasting) => {
      const value = JSON.stringify({ cookie: {}, user, apps });
      for (const key of keysOf(user)) await client.set(key, value, { PX: lasting });
      return idsOf(user).map((id) => encodeURIComponent(`s:${id}.${sign(id)}`));
    },
    logOut: (user) => client.del(keysOf(user)),
    moveOn: (user, lasting) => Promise.all(keysOf(user).map((key) => client.pExpire(key, lasting))),
  };
}

function tell(response, body) {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(body));
}
