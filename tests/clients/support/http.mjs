// Small servers on free ports.
import { createServer } from 'node:http';

/** Listens on a free port of the loopback. */
export async function listen(handler) {
  const server = createServer((request, response) => {
    Promise.resolve(handler(request, response)).catch((error) => {
      response.statusCode = 500;
      response.end(error.stack);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upgraded = new Set();
  return {
    onUpgrade: (take) => server.on('upgrade', (request, socket, head) => {
      upgraded.add(socket);
      take(request, socket, head);
    }),
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      upgraded.forEach((socket) => socket.destroy());
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The fields of a posted form. */
export async function readForm(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
