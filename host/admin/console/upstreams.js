// Each upstream with its servers, and what speaks against them.

import { by, each, h, mark, say } from "./dom.js";
import { count } from "./figures.js";

const WORDS = {
  up: "up",
  unchecked: "not checked yet",
  down: "down",
  ejected: "left alone",
  draining: "draining",
};

function upstream([name]) {
  const health = h("span", { class: "chip" });
  const list = h("ul", { class: "servers" });
  const element = h("li", { class: "card" }, h("h3", {}, name, " ", health), list);
  function renew([, servers]) {
    const up = servers.filter((server) => server.state === "up").length;
    say(health, servers.length ? `${up} of ${servers.length} up` : "no servers");
    mark(health, "data-kind", up === servers.length && up ? "good" : up ? "warn" : "bad");
    each(list, servers, (one) => `${one.server} ${one.host}`, server);
  }
  return { element, renew };
}

function server({ server: address, host }) {
  const light = h("span", { class: "light", "aria-hidden": "true" });
  const state = h("span", { class: "state" });
  const facts = h("span", { class: "note" });
  const why = h("p", { class: "why" });
  const called = host && host !== address ? ` (${host})` : "";
  const element = h("li", {},
    h("p", {}, light, h("code", {}, address), called, " ", state, " ", facts), why);
  function renew(now) {
    mark(element, "data-state", now.state);
    say(state, WORDS[now.state] ?? now.state);
    const zone = now.zone ? `, zone ${now.zone}` : "";
    say(facts, `${count(now.in_flight)} in flight, weight ${now.weight}${zone}`);
    say(why, now.why ?? "");
    why.hidden = !now.why;
  }
  return { element, renew };
}

export function show({ upstreams }) {
  const all = Object.entries(upstreams);
  each(by("upstream-list"), all, ([name]) => name, upstream);
  const servers = all.flatMap(([, list]) => list);
  const up = servers.filter((one) => one.state === "up").length;
  say(by("upstreams-note"), servers.length ? `${up} of ${servers.length} servers up` : "");
  by("upstreams-empty").hidden = all.length > 0;
  say(by("upstreams-empty"), "gateway.toml names no upstream.");
}
