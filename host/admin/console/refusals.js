// Who was refused, and why: as it happens.

import { stream } from "./api.js";
import { by, each, h, mark, say } from "./dom.js";
import { clock, count } from "./figures.js";

const KEPT = 200;
const PAUSE = 3000;

let following = false;
let held = false;
const aside = [];
/** Totals by reason over the last two minutes, oldest first. */
const totals = [];

/** Follows the stream; once it ends, the next look that succeeds follows again. */
export async function follow() {
  if (following) return;
  following = true;
  try {
    await stream("/refusals/stream", undefined, tell);
  } catch {
    // The page says so where it looks for everything else.
  }
  setTimeout(() => (following = false), PAUSE);
}

function tell(event, data) {
  if (event === "skipped") return add(h("li", { class: "skipped" }, `${count(data.skipped)} more than could be told`));
  if (event !== "refusal") return;
  if (!held) return add(line(data));
  aside.push(data);
  if (aside.length > KEPT) aside.shift();
  say(by("refusals-note"), `Held: ${count(aside.length)} more are waiting`);
}

function add(element) {
  const tail = by("tail");
  // Who reads further down stays where they are.
  const reading = tail.scrollTop > 8;
  const before = tail.scrollHeight;
  tail.prepend(element);
  while (tail.childElementCount > KEPT) tail.lastElementChild.remove();
  if (reading) tail.scrollTop += tail.scrollHeight - before;
  by("tail-empty").hidden = true;
}

function line(one) {
  const who = one.caller ? `${one.caller} at ${one.client_ip}` : one.client_ip;
  return h("li", {},
    h("time", { datetime: one.time, title: one.time }, clock(one.time)),
    h("span", { class: "chip", "data-kind": one.status >= 500 ? "bad" : "warn" }, `${one.status} ${one.reason}`),
    h("span", { class: "asked" }, h("code", {}, `${one.method} ${one.path}`)),
    h("span", { class: "note" }, `${one.route ?? "no route"}, ${who}`),
    one.because ? h("span", { class: "because" }, one.because) : null,
    h("span", { class: "note id", title: "Request id" }, one.request_id));
}

by("hold").addEventListener("click", () => {
  held = !held;
  mark(by("hold"), "aria-pressed", String(held));
  say(by("hold"), held ? "Go on" : "Hold");
  if (held) return say(by("refusals-note"), "Held: nothing is waiting");
  aside.splice(0).forEach((one) => add(line(one)));
  say(by("refusals-note"), "As they happen, while this page is open");
});

function reason([name]) {
  const number = h("strong", {});
  const element = h("li", { class: "chip", "data-kind": "plain" }, number, ` ${name}`);
  return { element, renew: ([, times]) => say(number, count(times)) };
}

export function show({ live }) {
  totals.push(live.refusals);
  if (totals.length > 61) totals.shift();
  const since = (name) => live.refusals[name] - Math.min(totals[0][name] ?? 0, live.refusals[name]);
  const some = Object.keys(live.refusals).map((name) => [name, since(name)]).filter(([, times]) => times > 0);
  some.sort((a, b) => b[1] - a[1]);
  each(by("reasons"), some, ([name]) => name, reason);
}
