// All traffic in four figures, and each route in a row.

import { by, each, h, mark, say } from "./dom.js";
import { between, quantile, rate, share, sum, time } from "./figures.js";
import { choose, chosen } from "./way.js";
import { POINTS, spark } from "./spark.js";

/** Looks of the last two minutes: `{ at, live }`. */
const looks = [];
const WINDOW = 30_000;
/** What the gateway calls the route of requests that found none. */
const NONE = "-";

/** What happened on one route or on all, between two looks; and how many seconds that was. */
function during(from, to, name) {
  const pick = (look) => (name === null ? sum(Object.values(look.live.routes)) : look.live.routes[name]);
  const now = pick(to);
  const span = (to.at - from.at) / 1000;
  return { span, what: (now && span > 0 && between(pick(from) ?? sum([]), now)) || null };
}

export function note(live) {
  const last = looks.at(-1);
  if (last && Date.now() - last.at < 500) looks.pop();
  looks.push({ at: Date.now(), live });
  if (looks.length > POINTS + 1) looks.shift();
}

/** The last 30 seconds of a route, or of all (`null`). */
export function recent(name) {
  const last = looks.at(-1);
  const first = looks.find((look) => last.at - look.at <= WINDOW);
  const { span, what } = during(first, last, name);
  if (!what) return { perSecond: null, errors: null, requests: 0, median: null, slowest: null };
  const at = (q) => quantile(q, what, last.live.bounds);
  return {
    perSecond: what.requests / span,
    errors: what.statuses["5xx"] ?? 0,
    requests: what.requests,
    median: at(0.5),
    slowest: at(0.99),
  };
}

function line(name, value) {
  const points = [];
  for (let i = 1; i < looks.length; i += 1) {
    const { span, what } = during(looks[i - 1], looks[i], name);
    points.push(what ? value(what, span) : 0);
  }
  return points;
}

const perSecond = (what, span) => what.requests / span;
const slow = (what) => {
  const found = quantile(0.99, what, looks.at(-1).live.bounds);
  return found === Infinity ? 10 : (found ?? 0);
};
const failed = (what, span) => (what.statuses["5xx"] ?? 0) / span;

const TILES = [
  { label: "Requests per second", value: (now) => rate(now.perSecond), points: perSecond },
  { label: "Server errors", value: (now) => share(now.errors, now.requests), points: failed, bad: (now) => now.errors > 0 },
  { label: "Median", value: (now) => time(now.median), points: (what) => quantile(0.5, what, looks.at(-1).live.bounds) ?? 0 },
  { label: "99th percentile", value: (now) => time(now.slowest), points: slow },
];

function tile({ label, value, points, bad }) {
  const figure = h("dd", {}, "–");
  const curve = spark(240, 40);
  const element = h("div", { class: "tile" }, h("dt", {}, label), figure, curve.element);
  function renew(now) {
    say(figure, value(now));
    mark(element, "data-bad", bad?.(now) ? "" : null);
    curve.renew(line(null, points).map((point) => (point === Infinity ? 10 : point)));
  }
  return { element, renew };
}

const tiles = TILES.map(tile);
by("tiles").append(...tiles.map((one) => one.element));

function row({ name }) {
  const pick = name === NONE
    ? h("strong", {}, "no route")
    : h("button", { type: "button", class: "pick-route", onclick: () => choose(name) }, name);
  const where = h("span", { class: "where" });
  const curve = spark(160, 28);
  const cells = ["Per second", "Errors", "Median", "99th"].map((label) => h("td", { class: "number", "data-label": label }));
  const element = h("tr", {},
    h("th", { scope: "row" }, pick, where),
    h("td", { class: "curve" }, curve.element),
    ...cells);
  function renew(route) {
    const now = recent(name);
    say(where, place(route));
    say(cells[0], rate(now.perSecond));
    say(cells[1], now.requests ? share(now.errors, now.requests) : "–");
    say(cells[2], time(now.median));
    say(cells[3], time(now.slowest));
    mark(cells[1], "data-bad", now.errors ? "" : null);
    if (name !== NONE) mark(pick, "aria-pressed", String(chosen() === name));
    curve.renew(line(name, perSecond));
  }
  return { element, renew };
}

export function place(route) {
  if (route.path === undefined) return "what nothing serves";
  const methods = route.methods.length ? route.methods.join(" ") : "any method";
  const hosts = route.hosts.length ? ` on ${route.hosts.join(", ")}` : "";
  return `${methods} ${route.path}${hosts}`;
}

export function show({ live, routes }) {
  note(live);
  const all = recent(null);
  tiles.forEach((one) => one.renew(all));
  const rows = live.routes[NONE]?.requests ? [...routes, { name: NONE }] : routes;
  each(by("route-rows"), rows, (route) => route.name, row);
  by("routes-empty").hidden = rows.length > 0;
  say(by("routes-empty"), "gateway.toml has no routes: add [[route]].");
}
