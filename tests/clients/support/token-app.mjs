// A client of the provider without a page: people log in by authorization code and PKCE, and what they get is its opaque access
// token and a refresh token.
import { createHash, randomBytes } from 'node:crypto';

const CALLBACK = 'http://app.test:1234/come-back';

/** The app, of the provider at `issuer`. */
export function newTokenApp({ issuer }) {
  const client = {
    client_id: 'the-app',
    client_secret: randomBytes(32).toString('base64url'),
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const ask = async (path, form) => {
    const credential = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    const headers = { Authorization: `Basic ${credential}` };
    const response = await fetch(`${issuer}${path}`, { method: 'POST', headers, body: new URLSearchParams(form) });
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  const grant = async (form) => {
    const { access_token: access, refresh_token: refresh } = await (await ask('/token', form)).json();
    return { access, refresh };
  };
  return {
    client,
    logIn: async (person) => {
      const verifier = randomBytes(32).toString('base64url');
      const code = await authorise({ issuer, client, verifier, person });
      return grant({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
    },
    refresh: ({ refresh }) => grant({ grant_type: 'refresh_token', refresh_token: refresh }),
    revoke: ({ access }) => ask('/token/revocation', { token: access, token_type_hint: 'access_token' }),
  };
}

/** Walks a browser of its own through the provider's login; gives the code. */
async function authorise({ issuer, client, verifier, person }) {
  const query = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    scope: 'openid analytics',
    redirect_uri: CALLBACK,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const jar = new Map();
  const go = async (url, more = {}) => {
    const headers = { Cookie: [...jar].map((pair) => pair.join('=')).join('; ') };
    const response = await fetch(url, { redirect: 'manual', headers, ...more });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      jar.set(name, value);
    }
    const to = response.headers.get('location');
    if (!to) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    return new URL(to, url).href;
  };
  const page = await go(`${issuer}/auth?${query}`);
  const back = await go(page, { method: 'POST', body: new URLSearchParams({ person }) });
  const end = new URL(await go(back));
  if (!end.searchParams.has('code')) throw new Error(`no code: ${end}`);
  return end.searchParams.get('code');
}
