// The stand-in's control door.

/** What the stand-in at `base` saw and did, and faults to order. */
export function simAt(base) {
  return {
    base,
    calls: () => read(`${base}/__sim/calls`),
    requests: () => read(`${base}/__sim/requests`),
    secrets: () => read(`${base}/__sim/secrets`),
    state: () => read(`${base}/__sim/state`),
    unknown: () => read(`${base}/__sim/unknown`),
    reset: () => write(`${base}/__sim/reset`, {}),
    script: (...faults) => write(`${base}/__sim/script`, faults),
  };
}

async function read(url) {
  return answered(await fetch(url));
}

async function write(url, body) {
  return answered(await fetch(url, { method: 'POST', body: JSON.stringify(body) }));
}

async function answered(response) {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  return response.json();
}
