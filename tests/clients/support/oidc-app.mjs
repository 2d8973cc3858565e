// A web app that logs people in by authorization code and PKCE, and keeps the ID token in its cookie.
import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { listen } from './http.mjs';

export const COOKIE = 'app_session';

/** Starts the app, a client of the provider at `issuer`. */
export async function startOidcApp({ issuer }) {
  const client = { client_id: 'the-app', client_secret: randomBytes(32).toString('base64url') };
  const logins = new Map();
  const server = await listen((request, response) => {
    const url = new URL(request.url, server.url);
    const page = { '/': home, '/log-in': logIn, '/come-back': comeBack, '/log-out': logOut }[url.pathname];
    if (!page) return response.writeHead(404).end();
    return page({ request, response, url, client, issuer, logins, origin: server.url });
  });
  Object.assign(client, {
    redirect_uris: [`${server.url}/come-back`],
    post_logout_redirect_uris: [`${server.url}/`],
  });
  return { url: server.url, client, stop: server.stop };
}

function home({ request, response }) {
  const token = tokenOf(request);
  const who = token ? JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub : 'nobody';
  response.setHeader('Content-Type', 'text/html');
  response.end(`<!doctype html><title>The app</title><p id="who">${who}</p>`);
}

function logIn({ response, client, issuer, logins, origin }) {
  const [state, verifier] = [randomUUID(), randomBytes(32).toString('base64url')];
  logins.set(state, verifier);
  redirect(response, `${issuer}/auth`, {
    client_id: client.client_id,
    response_type: 'code',
    scope: 'openid analytics',
    redirect_uri: `${origin}/come-back`,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
  });
}

async function comeBack({ response, url, client, issuer, logins, origin }) {
  const verifier = logins.get(url.searchParams.get('state'));
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: url.searchParams.get('code'),
      redirect_uri: `${origin}/come-back`,
      code_verifier: verifier,
    }),
  });
  const { id_token: token } = await answer.json();
  if (!token) throw new Error(`no token: ${answer.status}, ${url}`);
  response.setHeader('Set-Cookie', `${COOKIE}=${token}; HttpOnly; Path=/; SameSite=Lax`);
  redirect(response, '/');
}

/** The cookie stays: what ends the session is the provider's word alone. */
function logOut({ request, response, issuer, origin }) {
  redirect(response, `${issuer}/session/end`, { id_token_hint: tokenOf(request), post_logout_redirect_uri: `${origin}/` });
}

function tokenOf(request) {
  return new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1];
}

function redirect(response, to, query = {}) {
  response.writeHead(303, { Location: Object.keys(query).length ? `${to}?${new URLSearchParams(query)}` : to }).end();
}
