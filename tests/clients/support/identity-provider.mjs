// The real oidc-provider, with two people, a login page, and one client that is told of logouts. Its access tokens are opaque.
import { generateKeyPairSync, randomBytes } from 'node:crypto';

import { Provider } from 'oidc-provider';

import { listen, readForm } from './http.mjs';

/** Who can log in. */
const PEOPLE = ['ada', 'bob'];

/**
 * Starts a provider that is not told of its client yet: `register` does that. `apps` are everybody's; `heard` lists the
 * logouts that it has announced, each with what became of it. `tokens.last` says how long the access tokens last that it
 * issues from then on, in seconds.
 */
export async function startIdentityProvider({ apps }) {
  const heard = [];
  const tokens = { last: 3600 };
  let provider;
  const server = await listen((request, response) => {
    if (request.url.startsWith('/log-in/')) return interact(provider, request, response);
    return provider.callback()(request, response);
  });
  const register = (client) => {
    provider = new Provider(server.url, configuration({ client, apps, tokens }));
    provider.on('backchannel.success', (_, { clientId }, subject, session) => heard.push({ ok: true, clientId, subject, session }));
    provider.on('backchannel.error', (_, error) => heard.push({ ok: false, error: error.message }));
    provider.on('server_error', (_, error) => heard.push({ ok: false, error: error.stack }));
  };
  return { url: server.url, heard, tokens, register, stop: server.stop };
}

function configuration({ client, apps, tokens }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    clients: [{ response_types: ['code'], grant_types: ['authorization_code'], ...client }],
    claims: { openid: ['sub'], analytics: ['apps'] },
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: askWhetherToLogOut },
    },
    extraTokenClaims: () => ({ apps }),
    // Its own would refuse a client on this very machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount: (_, id) => PEOPLE.includes(id) ? { accountId: id, claims: () => ({ sub: id, apps }) } : undefined,
    interactions: { url: (_, { uid }) => `/log-in/${uid}` },
    issueRefreshToken: (_, asking) => asking.grantTypeAllowed('refresh_token'),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: randomBytes(6).toString('hex'), use: 'sig' }] },
    loadExistingGrant: consented,
    pkce: { required: () => true },
    ttl: { AccessToken: () => tokens.last },
  };
}

/** Nobody is asked whether the app may know who they are. */
async function consented({ oidc }) {
  const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
  grant.addOIDCScope('openid analytics');
  await grant.save();
  return grant;
}

async function interact(provider, request, response) {
  if (request.method === 'POST') {
    const login = { accountId: (await readForm(request)).get('person') };
    await provider.interactionFinished(request, response, { login });
    return;
  }
  const button = (person) => `<button name="person" value="${person}">${person}</button>`;
  response.setHeader('Content-Type', 'text/html');
  response.end(`<!doctype html><title>Log in</title><form method="post">${PEOPLE.map(button).join(' ')}</form>`);
}

function askWhetherToLogOut(context, form) {
  context.body = `<!doctype html><title>Log out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`;
}
