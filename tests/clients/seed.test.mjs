// The case it all began with: a machine's token that cannot be exchanged for a browser's websocket, and need not be.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { SALES, salesByRegion, total } from './support/apps.mjs';
import { cookie, sessionOf, versions } from './support/enigma.mjs';
import { startWorld } from './support/world.mjs';

const [library] = versions;
let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.stop());

const ask = async (body) => {
  const response = await fetch(`${world.sim.base}/oauth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...(await response.json()) };
};

test('Qlik refuses to exchange a machine’s token for a websocket’s', async () => {
  const client = { client_id: 'machine', client_secret: world.secrets.machine };
  const granted = await ask({ ...client, grant_type: 'client_credentials', scope: 'user_default' });
  assert.equal(granted.status, 200);

  const exchanged = await ask({
    client_id: 'machine',
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    purpose: 'websocket',
    subject_token: granted.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  });

  assert.equal(exchanged.status, 401);
  assert.equal(exchanged.errors[0].code, 'OAUTH-5');
});

test('the same client id and secret open the app through the proxy', async () => {
  const token = world.token({ apps: [SALES] });
  const session = sessionOf(library, `${world.proxy}/machine/app/${SALES}`, cookie(token, world.origin));
  const app = await (await session.open()).openDoc(SALES);
  assert.ok(total(await salesByRegion(app)) > 0);
  await session.close();

  const requests = await world.sim.requests();
  const { headers } = requests.find(({ target }) => target.startsWith('/app/'));
  assert.match(Object.fromEntries(headers).authorization, /^Bearer .+/);
  assert.ok(requests.every(({ body }) => !body.includes('token-exchange') || body.includes('subject_token')));
  assert.equal(requests.filter(({ body }) => body.includes('token-exchange')).length, 1, 'the proxy exchanged nothing');
});
