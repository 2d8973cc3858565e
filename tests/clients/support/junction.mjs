// A way to one of several doors on this machine, which one can be changed: as a load balancer leads to replicas.
import { createServer, connect } from 'node:net';

/** A junction that leads to the door at this URL; `leadTo` lets what comes from then on go to another. */
export async function startJunction(url) {
  let target = new URL(url);
  let taken = 0;
  const open = new Set();
  const server = createServer((near) => {
    taken += 1;
    const far = connect(target.port, target.hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${server.address().port}`,
    taken: () => taken,
    leadTo: (other) => {
      target = new URL(other);
    },
    stop: () => {
      open.forEach((one) => one.destroy());
      server.close();
    },
  };
}
