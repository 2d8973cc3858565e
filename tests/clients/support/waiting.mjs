// Waiting for what is to come, with an end to patience.
const PATIENCE = 15_000;
const PAUSE = 20;

/** The next `event` of an enigma session. */
export function nextEvent(session, event) {
  return within(`the event ${event}`, new Promise((resolve) => session.once(event, resolve)));
}

/** The promise's value, or an error that names what did not come. */
export function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `probe` until it gives something true, and gives that. */
export async function until(what, probe) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come to be`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** Makes `assertion` again until it holds; when it will not, its last failure is thrown. */
export async function eventually(assertion) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
