// Plugins: what they are, may and cost; the versions that served and those that were refused; back to the one before.

import { get, post } from "./api.js";
import { by, each, h, mark, say } from "./dom.js";
import { bytes, clock, count, short, time } from "./figures.js";

let look = () => {};
export const after = (then) => (look = then);

const path = (name, what) => `/plugins/${encodeURIComponent(name)}/${what}`;

function plugin({ name }) {
  const badge = h("span", { class: "chip" });
  const kind = h("span", { class: "note" });
  const digest = h("code", { class: "digest" });
  const calls = h("span", { class: "note calls" });
  const error = h("p", { class: "why" });
  const body = h("div", { class: "body" });
  const details = h("details", { id: `plugin-${name}`, class: "card plugin" },
    h("summary", {}, h("h3", {}, name), kind, badge, digest, calls), error, body);
  let now = null;
  let parts = null;
  async function open() {
    if (!details.open || !now) return;
    parts ??= inside(name, body);
    parts.renew(now);
    try {
      parts.history(await get(path(name, "history")));
    } catch (refusal) {
      parts.trouble(refusal.message);
    }
  }
  details.addEventListener("toggle", open);
  function renew(next) {
    const changed = !now || ["digest", "last_error", "pinned", "before", "configured"].some((key) => now[key] !== next[key]);
    now = next;
    say(kind, next.kind);
    say(digest, short(next.digest));
    mark(digest, "title", `sha256 ${next.digest}`);
    say(calls, `${count(next.calls)} calls, ${count(next.failures)} failed`);
    say(badge, next.last_error ? "new version refused" : next.pinned ? "rolled back" : "");
    mark(badge, "data-kind", next.last_error ? "bad" : "warn");
    badge.hidden = !badge.textContent;
    say(error, next.last_error ? `The version in the folder was refused; the last good one serves on. ${next.last_error}` : "");
    error.hidden = !next.last_error;
    parts?.renew(next);
    if (changed) open();
  }
  return { element: h("li", {}, details), renew };
}

/** What is shown of an opened plugin. */
function inside(name, body) {
  const facts = h("dl", { class: "facts" });
  const costs = h("tbody", {});
  const columns = ["Route", "Calls", "Failed", "Per call", "On the CPU", "Peak memory", "Alive"];
  const heads = columns.map((text, i) => h("th", { scope: "col", class: i ? "number" : null }, text));
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Cost of ${name} by route` },
    h("table", { class: "costs" }, h("thead", {}, h("tr", {}, ...heads)), costs));
  const unused = h("p", { class: "note" }, "Nobody has called it since the gateway started.");
  const entries = h("ol", { class: "history" });
  const trouble = h("p", { class: "why", hidden: true });
  const back = h("button", { type: "button", onclick: () => rollBack(name, now) });
  const free = h("button", { type: "button", class: "quiet", onclick: () => unpin(name, now) }, "Take the file’s version");
  const hint = h("p", { class: "note" });
  let now = null;
  body.append(
    facts,
    h("h4", {}, "Cost by route"),
    table, unused,
    h("h4", {}, "Versions"),
    h("p", { class: "buttons" }, back, free),
    hint, trouble, entries);
  function renew(next) {
    now = next;
    each(facts, list(next), ([term]) => term, fact);
    const used = next.routes.filter((bill) => calls(bill) > 0);
    each(costs, used, (bill) => bill.route, cost);
    table.hidden = !used.length;
    unused.hidden = used.length > 0;
    say(back, next.before ? `Roll back to ${short(next.before)}` : "Roll back");
    back.disabled = !next.before;
    free.hidden = !next.pinned;
    say(hint, standing(next));
  }
  function history(versions) {
    trouble.hidden = true;
    each(entries, versions, (entry) => `${entry.time} ${entry.outcome} ${entry.digest}`, version);
  }
  function failed(text) {
    trouble.hidden = false;
    say(trouble, `Its versions could not be read: ${text}`);
  }
  return { renew, history, trouble: failed };
}

function standing({ pinned, before }) {
  if (pinned) return "Rolled back: it serves until its file in the plugin folder changes.";
  return before ? "The version before is kept, ready to serve." : "No version served before this one since the gateway started.";
}

function list(now) {
  const limits = Object.entries(now.limits ?? {}).map(([key, value]) => `${key} ${value}`);
  return [
    ["Digest", `sha256 ${now.digest}`],
    ["Size", now.size ? bytes(now.size) : "–"],
    ["Instances", `${now.instance}; ${now.configured}`],
    ["Can", now.can],
    ["Limits", limits.join(", ")],
    ["Imports", now.imports.join(", ") || "nothing"],
  ];
}

function fact([term]) {
  const value = h("dd", {});
  return { element: h("div", {}, h("dt", {}, term), value), renew: ([, text]) => say(value, text) };
}

const calls = (bill) => Object.values(bill.outcomes).reduce((all, one) => all + one, 0);

function cost({ route }) {
  const cells = Array.from({ length: 6 }, () => h("td", { class: "number" }));
  const element = h("tr", {}, h("th", { scope: "row" }, route), ...cells);
  function renew(bill) {
    const all = calls(bill);
    const { ok = 0, refused = 0, cancelled = 0 } = bill.outcomes;
    const per = (seconds) => time(all ? seconds / all : null);
    const texts = [
      count(all), count(all - ok - refused - cancelled), per(bill.wall_seconds), per(bill.cpu_seconds),
      bytes(bill.memory_peak_bytes), count(bill.instances_live),
    ];
    texts.forEach((text, i) => say(cells[i], text));
  }
  return { element, renew };
}

const OUTCOMES = { served: ["Served", "good"], rolled_back: ["Rolled back", "warn"], refused: ["Refused", "bad"] };
const SIGNS = { added: "+", removed: "−", changed: "~" };

function version(entry) {
  const [word, kind] = OUTCOMES[entry.outcome] ?? [entry.outcome, ""];
  const differs = entry.differs.map((one) => h("li", { "data-how": one.how },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[one.how]),
    h("span", { class: "unseen" }, `${one.how} `),
    h("span", { class: "part" }, one.part), ` ${one.what}`));
  const size = entry.size ? `, ${bytes(entry.size)}` : "";
  const element = h("li", {},
    h("p", {},
      h("span", { class: "chip", "data-kind": kind }, word), " ",
      h("code", { title: entry.digest ?? "" }, short(entry.digest)), " ",
      h("span", { class: "note" },
        h("time", { datetime: entry.time, title: entry.time }, clock(entry.time)),
        `, ${entry.cause}, generation ${entry.generation}${size}`)),
    entry.reason && h("p", { class: "why" }, entry.reason),
    differs.length ? h("ul", { class: "diff" }, ...differs) : null);
  return { element, renew() {} };
}

const dialog = by("confirm");
let answer = () => {};
// It is told of a close a moment later, when it may be open again for the next question.
dialog.addEventListener("close", () => dialog.open || answer(dialog.returnValue === "yes"));

/** Asks first; true where the answer was yes. */
function sure(title, lines, yes) {
  answer(false);
  say(by("confirm-title"), title);
  by("confirm-text").replaceChildren(...lines.map((line) => h("p", {}, line)));
  say(by("confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => (answer = done));
}

async function rollBack(name, { digest, before }) {
  const lines = [
    `From ${short(digest)} back to ${short(before)}, at once. Requests under way end with the version they began with.`,
    "It serves until its file in the plugin folder changes, or you take the file’s version again.",
  ];
  if (await sure(`Roll ${name} back?`, lines, "Roll back")) await act(name, "rollback", `${name} is rolled back to ${short(before)}.`);
}

async function unpin(name, { digest }) {
  const lines = [`The version in the plugin folder serves instead of ${short(digest)}, if it can be loaded.`];
  if (await sure(`Take the file’s version of ${name}?`, lines, "Take it")) await act(name, "unpin", `${name} serves from its file again.`);
}

async function act(name, what, done) {
  const said = by("said");
  try {
    await post(path(name, what));
    say(said, done);
    mark(said, "data-kind", "good");
  } catch (refusal) {
    say(said, `${name} stays as it is: ${refusal.message}`);
    mark(said, "data-kind", "bad");
  }
  look();
  setTimeout(() => say(said, ""), 8000);
}

export function show({ plugins }) {
  each(by("plugin-list"), plugins, (one) => one.name, plugin);
  const refused = plugins.filter((one) => one.last_error).length;
  const pinned = plugins.filter((one) => one.pinned).length;
  const notes = [`${plugins.length} serve`, refused && `${refused} with a version refused`, pinned && `${pinned} rolled back`];
  say(by("plugins-note"), plugins.length ? notes.filter(Boolean).join(", ") : "");
  by("plugins-empty").hidden = plugins.length > 0;
  say(by("plugins-empty"), "No plugins: name one in gateway.toml and drop its component into the plugin folder.");
}

// A link to a plugin opens it.
function reach() {
  const target = location.hash.startsWith("#plugin-") && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) {
    target.open = true;
    target.querySelector("summary").focus();
  }
}
addEventListener("hashchange", reach);
