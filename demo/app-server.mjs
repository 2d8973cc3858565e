// The app: its own log-in, its own page, and one pipe. What enters is a browser's request; whatever lies under
// /qlik goes to qix-proxy untouched, as an ingress would send it. It never holds a Qlik token.
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { loginPage } from './login-page.mjs';
import { engineSaw } from './evidence.mjs';
import { users } from './users.mjs';

const COOKIE = 'app_session';
const ENGINE_PATH = '/qlik';
const MAX_FORM = 4096;
const MAX_SESSIONS = 10_000;
const TYPES = { '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
const GUARDS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
};

/** Starts the app on a loopback port. `upstreams` is filled in as they start: { proxy, sim }, both base URLs. */
export async function startApp({ port, upstreams }) {
  const sessions = new Map();
  const server = createServer((request, response) => {
    answer({ request, response, sessions, upstreams }).catch((error) => {
      console.error('app:', error.message);
      if (!response.headersSent) send(response, 500, { error: 'internal' });
      else response.destroy();
    });
  });
  const pipes = new Set();
  server.on('upgrade', (request, socket, head) => pipeUpgrade({ request, socket, head, upstreams, pipes }));
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => stop(server, pipes),
  };
}

async function answer(exchange) {
  const { request, response, sessions, upstreams } = exchange;
  const path = new URL(request.url, 'http://app').pathname;
  if (path === ENGINE_PATH || path.startsWith(`${ENGINE_PATH}/`)) return pipeRequest(exchange);

  const person = sessions.get(cookieOf(request));
  switch (`${request.method} ${path}`) {
    case 'GET /':
      return person ? sendFile(response, 'index.html') : redirect(response, '/login');
    case 'GET /login':
      return send(response, 200, loginPage(users, ''));
    case 'POST /login':
      return logIn(exchange);
    case 'GET /logout':
      return logOut(exchange, () => redirect(response, '/login'));
    case 'POST /logout':
      return logOut(exchange, () => send(response, 200, { loggedOut: true }));
    case 'GET /session':
      return person ? send(response, 200, person) : send(response, 401, { error: 'not logged in' });
    case 'GET /engine-saw':
      return person ? send(response, 200, await engineSaw(upstreams.sim)) : send(response, 401, { error: 'not logged in' });
    case 'GET /demo.json':
      return send(response, 200, demoFacts(upstreams));
    case 'GET /page.js':
    case 'GET /page.css':
      return sendFile(response, path.slice(1));
    case 'GET /favicon.svg':
      return sendFile(response, 'favicon.svg');
    default:
      return send(response, 404, { error: 'not found' });
  }
}

function demoFacts(upstreams) {
  return {
    users: users.map(({ user, apps }) => ({ name: user, apps })),
    engine: ENGINE_PATH,
    sim: upstreams.sim,
  };
}

async function logIn({ request, response, sessions }) {
  if (!isOwnOrigin(request)) return send(response, 403, { error: 'foreign origin' });
  const form = new URLSearchParams(await readBody(request));
  const person = users.find(({ user }) => user === form.get('user'));
  if (!person) return send(response, 401, loginPage(users, 'Nobody of that name here.'));
  if (sessions.size >= MAX_SESSIONS) sessions.delete(sessions.keys().next().value);
  sessions.delete(cookieOf(request));
  const id = randomBytes(32).toString('base64url');
  // The session's name for others: it says nothing of the cookie that proves it.
  sessions.set(id, { ...person, session: createHash('sha256').update(id).digest('base64url') });
  response.setHeader('Set-Cookie', `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`);
  return redirect(response, '/');
}

function logOut({ request, response, sessions }, respond) {
  if (!isOwnOrigin(request)) return send(response, 403, { error: 'foreign origin' });
  sessions.delete(cookieOf(request));
  response.setHeader('Set-Cookie', `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
  return respond();
}

function cookieOf(request) {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === COOKIE)?.[1];
}

/** A browser names the origin of a form post; another site's is turned away. */
function isOwnOrigin(request) {
  const { origin, host } = request.headers;
  return origin === undefined || origin === `http://${host}`;
}

async function readBody(request) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > MAX_FORM) throw new Error('form too long');
  }
  return body;
}

function pipeRequest({ request, response, upstreams }) {
  const { hostname, port } = new URL(upstreams.proxy);
  const { method, url: path, headers } = request;
  const onward = httpRequest({ hostname, port, method, path, headers }, (answered) => {
    response.writeHead(answered.statusCode, answered.headers);
    answered.pipe(response);
  });
  onward.on('error', () => (response.headersSent ? response.destroy() : send(response, 502, { error: 'no proxy' })));
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}

/** The upgrade goes on byte for byte, and so does all that follows. */
function pipeUpgrade({ request, socket, head, upstreams, pipes }) {
  socket.on('error', () => socket.destroy());
  if (!request.url.startsWith(`${ENGINE_PATH}/`)) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  const { hostname, port } = new URL(upstreams.proxy);
  const onward = connect({ host: hostname, port, noDelay: true, allowHalfOpen: true }, () => {
    onward.write(rawHead(request));
    onward.write(head);
    socket.pipe(onward).pipe(socket);
  });
  onward.on('error', () => socket.destroy());
  onward.on('close', () => socket.destroy());
  socket.on('close', () => onward.destroy());
  pipes.add(socket);
  socket.on('close', () => pipes.delete(socket));
}

function rawHead({ method, url, rawHeaders }) {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

async function sendFile(response, name) {
  const body = await readFile(fileURLToPath(new URL(`dist/${name}`, import.meta.url)));
  response.writeHead(200, { ...GUARDS, 'Content-Type': TYPES[extname(name)] }).end(body);
}

function send(response, status, body) {
  const [type, text] = typeof body === 'string' ? [TYPES['.html'], body] : ['application/json', JSON.stringify(body)];
  response.writeHead(status, { ...GUARDS, 'Content-Type': type }).end(text);
}

function redirect(response, location) {
  response.writeHead(303, { ...GUARDS, Location: location }).end();
}

function stop(server, pipes) {
  for (const socket of pipes) socket.destroy();
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}
