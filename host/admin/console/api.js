// Asking the gateway. Only ever the origin that this page came from.

const KEY = "portcullis-token";
const PATIENCE = 10_000;

let token = stored();

function stored() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function keep(text) {
  token = text;
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // Then it lives as long as this page.
  }
}

/** The gateway said no; `status` is 0 where it said nothing. */
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, options, signal) {
  const headers = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    throw new Refusal(0, "The gateway does not answer.");
  }
  if (!answer.ok) throw new Refusal(answer.status, await reason(answer));
  return answer;
}

/** A problem document (RFC 9457), or plain text. */
async function reason(answer) {
  const text = (await answer.text()).trim();
  try {
    const problem = JSON.parse(text);
    return problem.detail ?? problem.title ?? text;
  } catch {
    return text || `status ${answer.status}`;
  }
}

export async function get(path) {
  return (await ask(path, {}, AbortSignal.timeout(PATIENCE))).json();
}

export async function post(path, body) {
  const options = { method: "POST" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "content-type": "application/json" };
  }
  // Compiling and configuring a plugin may take its time.
  return (await ask(path, options, AbortSignal.timeout(6 * PATIENCE))).text();
}

/** Server-sent events by fetch: EventSource cannot send a token. Ends when the stream does. */
export async function stream(path, signal, tell) {
  const answer = await ask(path, { headers: { accept: "text/event-stream" } }, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data !== undefined) tell(fields.event ?? "message", JSON.parse(fields.data));
    }
  }
}
