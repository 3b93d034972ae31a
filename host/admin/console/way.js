// What a request meets on its way through one route, from top to bottom, with each plugin in its slot.

import { by, each, h, mark, say } from "./dom.js";
import { bytes, count, rate, time } from "./figures.js";
import { grate } from "./spark.js";

let name = null;
let last = null;
/** Bills as they were up to 30 seconds ago: by plugin and route. */
const bills = new Map();

export const chosen = () => name;

export function choose(route) {
  name = route;
  by("way-route").value = route;
  if (last) show(last);
  document.querySelectorAll(".pick-route").forEach((button) => mark(button, "aria-pressed", String(button.textContent === name)));
}

by("way-route").addEventListener("change", (event) => choose(event.target.value));

const STEPS = {
  authenticator: ["Authenticate", "Who is asking?"],
  authorizer: ["Authorize", "May they?"],
};

/** The steps that a request of this route takes. */
function steps(route, { plugins, upstreams }) {
  const of = (kind) => route.plugins.map((used) => plugins.find((p) => p.name === used)).filter((p) => p?.kind === kind);
  const filters = of("filter");
  const list = [
    { key: "admit", title: "Admit", text: "Made plain once; what is ambiguous is refused" },
    { key: "find", title: "Find the route", text: `${route.methods.join(" ") || "any method"} ${route.path}` },
  ];
  const limit = (needed, key, title) => {
    const some = route.limits.filter((one) => one.needs_caller === needed);
    if (some.length) list.push({ key, title, text: some.map((one) => `${one.name}: ${one.rule}`).join(", ") });
  };
  limit(false, "limit", "Limit");
  for (const [kind, [title, text]] of Object.entries(STEPS)) {
    if (route.public) continue;
    list.push({ key: kind, title, text, plugins: of(kind) });
  }
  if (route.public) list.push({ key: "public", title: "Public", text: "Everybody may come in; nobody is asked" });
  limit(true, "limit-caller", "Limit by caller");
  if (filters.length) list.push({ key: "request", title: "Filter the request", text: "In the order of the file", plugins: filters });
  if (route.stores) list.push({ key: "cache", title: "Cache", text: "Answered from here where it is stored" });
  list.push(answer(route, of("handler"), upstreams));
  if (filters.length) {
    const back = [...filters].reverse().map((p) => p.name).join(", ");
    list.push({ key: "response", title: "Filter the response", text: `Back through ${back}` });
  }
  list.push({ key: "journal", title: "Journal", text: "One line, counted, with the last byte" });
  return list;
}

function answer(route, handlers, upstreams) {
  if (handlers.length) return { key: "answer", title: "Handle", text: "A plugin answers", plugins: handlers };
  const servers = upstreams[route.upstream];
  if (!servers) return { key: "answer", title: "Answer", text: `By ${route.answered_by ?? "the gateway itself"}` };
  const up = servers.filter((server) => server.state === "up").length;
  const text = `${route.upstream}: ${up} of ${servers.length} servers up`;
  return { key: "answer", title: "Forward", text, bad: up < servers.length };
}

function step() {
  const title = h("h3", {});
  const text = h("p", { class: "note" });
  const slots = h("ul", { class: "slots" });
  const element = h("li", { class: "step" }, h("div", { class: "what" }, title, text), slots);
  function renew(now) {
    say(title, now.title);
    say(text, now.text);
    mark(element, "data-bad", now.bad ? "" : null);
    slots.hidden = !now.plugins?.length;
    each(slots, now.plugins ?? [], (plugin) => plugin.name, slot);
  }
  return { element, renew };
}

function slot({ name: plugin }) {
  const gate = grate();
  const figures = ["calls/s", "per call", "on CPU", "memory"].map((label) => {
    const value = h("dd", {}, "–");
    return { value, element: h("div", {}, h("dt", {}, label), value) };
  });
  const element = h("li", { class: "slot" },
    gate.element,
    h("a", { href: `#plugin-${plugin}` }, plugin),
    h("dl", {}, ...figures.map((figure) => figure.element)));
  function renew(now) {
    const cost = costs(now);
    say(figures[0].value, rate(cost.perSecond));
    say(figures[1].value, time(cost.wall));
    say(figures[2].value, time(cost.cpu));
    say(figures[3].value, cost.memory ? bytes(cost.memory) : "–");
    mark(element, "title", `${count(cost.calls)} calls, ${count(cost.failures)} failures since the gateway started`);
    mark(element, "data-bad", now.last_error ? "" : null);
    gate.renew(cost.share);
  }
  return { element, renew };
}

const calls = (bill) => Object.values(bill?.outcomes ?? {}).reduce((all, one) => all + one, 0);
const FAILURES = ["failed", "trapped", "timed_out", "invalid", "overloaded"];

/** What a plugin cost on the chosen route: of the last 30 seconds where it was called, else since the start. */
function costs(plugin) {
  const bill = plugin.routes.find((one) => one.route === name);
  const all = calls(bill);
  const old = bills.get(`${plugin.name} ${name}`)?.[0];
  const since = old && all >= calls(old.bill) ? calls(old.bill) : 0;
  const fresh = all - since;
  const span = old ? (Date.now() - old.at) / 1000 : 0;
  const per = (key) => {
    if (!all) return null;
    return old && fresh > 0 ? (bill[key] - old.bill[key]) / fresh : bill[key] / all;
  };
  const wall = per("wall_seconds");
  return {
    calls: all,
    failures: FAILURES.reduce((sum, key) => sum + (bill?.outcomes[key] ?? 0), 0),
    perSecond: old && span > 0 ? fresh / span : null,
    wall,
    cpu: per("cpu_seconds"),
    memory: bill?.memory_peak_bytes ?? 0,
    share: dearest && wall ? wall / dearest : 0,
  };
}

/** Seconds per call of the dearest plugin of the chosen route. */
let dearest = 0;

function note(plugins) {
  for (const plugin of plugins) {
    for (const bill of plugin.routes) {
      const key = `${plugin.name} ${bill.route}`;
      const known = bills.get(key) ?? [];
      known.push({ at: Date.now(), bill });
      bills.set(key, known.filter((one) => Date.now() - one.at <= 30_000));
    }
  }
}

export function show(seen) {
  if (seen !== last || !bills.size) note(seen.plugins);
  last = { ...seen };
  const names = seen.routes.map((route) => route.name);
  const select = by("way-route");
  if (select.dataset.names !== names.join("\n")) {
    select.replaceChildren(...names.map((each) => h("option", { value: each }, each)));
    select.dataset.names = names.join("\n");
  }
  if (!names.includes(name)) name = busiest(seen) ?? null;
  if (name === null) return by("way-steps").replaceChildren();
  select.value = name;
  dearest = 0;
  const used = seen.plugins.filter((plugin) => plugin.routes.some((bill) => bill.route === name));
  dearest = Math.max(0, ...used.map((plugin) => costs(plugin).wall ?? 0));
  const route = seen.routes.find((one) => one.name === name);
  each(by("way-steps"), steps(route, seen), (one) => one.key, step);
}

/** The route with the most plugins says the most about the picture. */
function busiest({ routes }) {
  const most = [...routes].sort((a, b) => b.plugins.length - a.plugins.length)[0];
  return most?.name;
}
