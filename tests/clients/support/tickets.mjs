// What a page does that opens its websockets by ticket: the README shows it.

/** Asks for a ticket with what the page holds; `headers` are those that a browser would add by itself. */
export async function askTicket(url, { token, app, headers = {} }) {
  const answer = await fetch(`${url}/ticket`, {
    method: 'POST',
    headers: { ...headers, Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ app }),
  });
  if (!answer.ok) throw Object.assign(new Error(`no ticket: ${answer.status}`), { status: answer.status });
  return (await answer.json()).ticket;
}

/**
 * A websocket that gets its ticket first. enigma.js wants a socket at once, and a new one whenever it resumes, always of
 * the same URL: this one is there at once, and opens when `open(ticket)` gives the real one.
 */
export class TicketSocket {
  OPEN = 1;

  constructor(ticket, open) {
    ticket().then((text) => this.#follow(open(text)), (error) => this.#fail(error));
  }

  get readyState() {
    return this.socket?.readyState ?? 0;
  }

  send(data) {
    this.socket.send(data);
  }

  close(code, reason) {
    this.closed = { code, reason };
    if (this.socket) this.socket.close(code, reason);
    else this.onclose?.(this.closed);
  }

  #follow(socket) {
    if (this.closed) return socket.close();
    this.socket = socket;
    for (const event of ['onopen', 'onmessage', 'onerror', 'onclose']) socket[event] = (what) => this[event]?.(what);
  }

  #fail(error) {
    if (this.closed) return;
    this.onerror?.(error);
    this.onclose?.({ code: error.status === 401 ? 4006 : 1006, reason: error.message });
  }
}
