// What an ingress is to the proxy, and a browser to its page: every request that comes through gets the cookie and the
// origin of a page, and goes to the proxy that is there just now.
import { request as ask } from 'node:http';
import { connect } from 'node:net';

import { listen } from './http.mjs';

/** Stands before the proxy at `target`, with these headers for every request. */
export async function startDisguise({ target, headers }) {
  let { hostname, port } = new URL(target);
  const dressed = (own) => ({ ...Object.fromEntries(Object.entries(own).filter(([name]) => name !== 'authorization')), ...headers });
  const server = await listen((incoming, response) => {
    const outgoing = ask({ hostname, port, path: incoming.url, method: incoming.method, headers: dressed(incoming.headers) });
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.writeHead(502).end());
    incoming.pipe(outgoing);
  });
  server.onUpgrade(({ url, headers: own }, client, early) => {
    const proxy = connect({ host: hostname, port }, () => {
      const lines = Object.entries(dressed(own)).map(([name, value]) => `${name}: ${value}\r\n`);
      proxy.write(`GET ${url} HTTP/1.1\r\n${lines.join('')}\r\n`);
      proxy.write(early);
      proxy.pipe(client).pipe(proxy);
    });
    for (const [one, other] of [[proxy, client], [client, proxy]]) one.on('error', () => other.destroy());
  });
  return {
    url: server.url,
    turnTo: (other) => ({ hostname, port } = new URL(other)),
    stop: server.stop,
  };
}
