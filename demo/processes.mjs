// Starts the programs of the product and waits until each says where it listens. They write JSON lines: the
// stand-in one on its standard output, the proxy a line of its log for each door. All they say is kept in a file.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const START_LIMIT = 30_000;
const STOP_LIMIT = 30_000;

// Programs have a process group of their own, so that Ctrl-C is for whoever started them to pass on: no way out of
// this process may leave them behind.
const alive = new Set();
process.on('exit', () => alive.forEach((child) => child.kill('SIGTERM')));

/**
 * Starts `command` with nothing but `env` in its environment, and waits until `listening` finds an address
 * in a line that it says (given as the JSON it holds, and as it is). `onDeath` is told of an end that nobody asked for.
 */
export async function startProgram({ name, command, args, env, log, listening, onDeath }) {
  const child = spawn(command, args, { detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
  alive.add(child);
  const program = { name, child, log, stopping: false, ended: endOf(child) };
  program.ended.then(() => alive.delete(child));
  program.ended.then((how) => program.stopping || onDeath?.(new Error(`${name} ${how}: see ${log}`)));
  try {
    program.address = await firstAddress(program, listening);
  } catch (error) {
    await stopProgram(program);
    throw error;
  }
  return program;
}

/** Asks the program to stop, and makes it stop when it does not. */
export async function stopProgram(program) {
  program.stopping = true;
  const { child, ended } = program;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT);
  const how = await ended;
  clearTimeout(force);
  return how;
}

/** What the stand-in says when its port is open. */
export function simListening(line) {
  return line.listening;
}

/** What the proxy says when its public door is open. */
export function proxyListening(line) {
  const facts = { ...line, ...line.fields };
  return facts.message === 'listening' && facts.door === 'public' ? `http://${facts.address}` : undefined;
}

function firstAddress({ name, child, log, ended }, listening) {
  const file = createWriteStream(log);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} does not say where it listens: see ${log}`)), START_LIMIT);
    ended.then((how) => reject(new Error(`${name} ${how}: see ${log}`))).finally(() => clearTimeout(timer));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        file.write(`${line}\n`);
        const address = listening(parsed(line), line);
        if (!address) return;
        clearTimeout(timer);
        resolve(address);
      });
    }
  });
}

function parsed(line) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

function endOf(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${error.code})`));
    child.once('close', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with ${code}`));
  });
}
