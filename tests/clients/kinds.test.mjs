// Every kind of credential of Qlik Cloud, with enigma.js and @qlik/api through the proxy to a tenant that enforces its rules.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { openAppSession } from '@qlik/api/qix';

import { SALES, salesByRegion, total } from './support/apps.mjs';
import { cookie, sessionOf, versions } from './support/enigma.mjs';
import { within } from './support/waiting.mjs';
import { ORIGIN, startWorld } from './support/world.mjs';

const [library] = versions;
const ISSUER = 'https://app.example.com';

/** What `[route.credential]` says, by the name of the kind; `{folder}` is where the keys are. */
const KINDS = {
  'oauth-client': 'client_id = "machine"\nclient_secret = { env = "MACHINE_SECRET" }\nshared = true',
  'oauth-impersonation': 'client_id = "trusted"\nclient_secret = { env = "TRUSTED_SECRET" }\nuser = { field = "subject", claim = "sub" }',
  'api-key': 'key = { env = "API_KEY" }\nshared = true',
  'cloud-jwt': `issuer = "${ISSUER}"\nsigning_key = { file = "{folder}/private.pem" }\nkey_id = "key-1"
subject = "app|{sub}"\nname = "{name}"\nemail = "{email}"\ngroups_claim = "groups"`,
  'token-exchange': 'client_id = "trusted"\nclient_secret = { env = "TRUSTED_SECRET" }',
  'anonymous-embed': 'client_id = "embed"\naccess_code = { env = "API_KEY" }',
};

/** Variations of a kind, each a route of its own as well. */
const VARIANTS = {
  'oauth-impersonation by key': 'client_id = "signing"\nsigning_key = { file = "{folder}/private.pem" }\nuser = { field = "subject", value = "app|{sub}" }',
  'token-exchange in the query': 'client_id = "trusted"\nclient_secret = { env = "TRUSTED_SECRET" }\nshown = "query"',
};

const PROVISION = `client_id = "trusted"\nclient_secret = { env = "TRUSTED_SECRET" }\nuser = { field = "subject", claim = "sub" }
[route.credential.provision]\nclient_id = "admin"\nclient_secret = { env = "MACHINE_SECRET" }\nname = "{name}"`;

const CLAIMS = { apps: [SALES], name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true, groups: ['sales'] };

function route(path, name, keys, engine, folder) {
  const [kind] = name.split(' ');
  return `
[[route]]
path = "${path}"
origins = ["${ORIGIN}"]
clients_without_origin = "bearer"

[[route.session]]
kind = "jwt"
cookie = "app_session"
secret = { env = "APP_JWT_SECRET" }

[route.access]
apps_claim = "apps"

[route.engine]
url = "${engine}"

[route.credential]
kind = "${kind}"
${keys.replaceAll('{folder}', folder)}
`;
}

const pathOf = (name) => `/${name.replaceAll(' ', '-')}`;

async function prepare({ folder, secrets }) {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = { type: 'pkcs8', format: 'pem' };
  await writeFile(join(folder, 'private.pem'), pair.privateKey.export(pem), { mode: 0o600 });
  await writeFile(join(folder, 'public.pem'), pair.publicKey.export({ ...pem, type: 'spki' }));
  const key = join(folder, 'public.pem');
  return {
    simArgs: ['--client-key', `signing=${key}`, '--provider', ISSUER, '--provider-key', key, '--admin-client', `admin=${secrets.machine}`],
    simEnv: { ENGINE_SIM_APP_SECRET: secrets.jwt, ENGINE_SIM_ANONYMOUS: `embed=${secrets.apiKey}` },
  };
}

/** Opens an app as a page would, and reads a chart. */
async function readChart(world, path) {
  const headers = cookie(world.token(CLAIMS), ORIGIN);
  const session = sessionOf(library, `${world.proxy}${path}/app/${SALES}`, headers);
  const app = await (await session.open()).openDoc(SALES);
  assert.ok(total(await salesByRegion(app)) > 0);
  await session.close();
}

/** Opens an app as a program would, with the app's token where an API key goes, and reads a chart. */
async function readChartInNode(world, path) {
  const hostConfig = { host: `${world.proxy}${path}`, authType: 'apikey', apiKey: world.token({ ...CLAIMS, sub: 'bob' }) };
  const session = openAppSession({ appId: SALES, hostConfig });
  const app = await within('the app', session.getDoc());
  assert.ok(total(await salesByRegion(app)) > 0);
  await session.close();
}

/** Nothing secret of the tenant's or of the app's stands in the proxy's log. */
async function assertLogIsBlind(world) {
  const log = await world.proxyLog();
  const secrets = [...(await world.sim.secrets()), ...Object.values(world.secrets)];
  const told = secrets.filter((secret) => !secret.startsWith('canary-trace-') && log.includes(secret));
  assert.deepEqual(told, []);
}

describe('credentials of Qlik Cloud', () => {
  let world;
  before(async () => {
    const all = Object.entries({ ...KINDS, ...VARIANTS });
    const routes = (engine, folder) => all.map(([name, keys]) => route(pathOf(name), name, keys, engine, folder)).join('');
    world = await startWorld({ routes, prepare });
  });
  after(() => world?.stop());

  for (const name of [...Object.keys(KINDS), ...Object.keys(VARIANTS)]) {
    test(`${name}: enigma.js opens an app and reads it`, async () => {
      await readChart(world, pathOf(name));
      await assertLogIsBlind(world);
    });

    test(`${name}: @qlik/api opens an app and reads it`, async () => {
      await readChartInNode(world, pathOf(name));
      await assertLogIsBlind(world);
    });
  }
});

describe('people who are no users yet', () => {
  let world;
  before(async () => {
    const routes = (engine, folder) => route('/provision', 'oauth-impersonation', PROVISION, engine, folder);
    const knowing = async (place) => {
      const { simArgs, simEnv } = await prepare(place);
      return { simArgs: [...simArgs, '--knows-users'], simEnv };
    };
    world = await startWorld({ routes, prepare: knowing });
  });
  after(() => world?.stop());

  test('become users, once', async () => {
    await readChart(world, '/provision');
    await readChart(world, '/provision');
    const created = (await world.sim.requests()).filter(({ method, target }) => method === 'POST' && target === '/api/v1/users');
    assert.equal(created.length, 1);
    assert.deepEqual(JSON.parse(created[0].body), { name: 'Ada Lovelace', subject: 'ada', status: 'active' });
    await assertLogIsBlind(world);
  });
});
