// What is stored, how often that was of use, and forgetting it.

import { post } from "./api.js";
import { by, each, h, mark, say } from "./dom.js";
import { bytes, count, share } from "./figures.js";

let look = () => {};
export const after = (then) => (look = then);

function route([name]) {
  const hits = h("span", { class: "number" });
  const bar = h("progress", { max: "1", "aria-label": `Share of ${name} from the cache` });
  const facts = h("span", { class: "note" });
  const element = h("li", {}, h("p", {}, h("strong", {}, name), hits), bar, facts);
  function renew([, now]) {
    const good = now.hit + now.stale + now.revalidated + now.coalesced;
    const all = good + now.miss + now.bypass;
    say(hits, all ? `${share(good, all)} from the cache` : "not asked yet");
    mark(bar, "value", all ? good / all : 0);
    say(facts, `${count(now.hit)} hits, ${count(now.coalesced)} joined, ${count(now.stale)} stale, ${count(now.miss)} misses, ${bytes(Math.max(0, now.bytes))}`);
  }
  return { element, renew };
}

export function show({ cache }) {
  const routes = Object.entries(cache.routes);
  each(by("cache-routes"), routes, ([name]) => name, route);
  say(by("cache-note"), `${count(cache.entries)} stored, ${bytes(cache.bytes)} of ${bytes(cache.memory)}`);
  by("cache-empty").hidden = routes.length > 0;
  say(by("cache-empty"), "No route stores its answers. One line changes that: cache = { ttl = \"5s\" }.");
}

const HINTS = {
  url: ["/public/news", "http://host/path, or /path of every host"],
  prefix: ["/public/", "Everything whose path begins so"],
  tag: ["user-42", "A word of Surrogate-Key or Cache-Tag"],
};

by("purge-by").addEventListener("change", (event) => {
  const [example, hint] = HINTS[event.target.value];
  by("purge-what").placeholder = example;
  say(by("purge-hint"), hint);
});

by("purge").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = by("purge-said");
  const [kind, what] = [by("purge-by").value, by("purge-what").value.trim()];
  try {
    const { purged } = JSON.parse(await post("/cache/purge", { [kind]: what }));
    say(said, purged === 1 ? "1 answer is forgotten." : `${count(purged)} answers are forgotten.`);
    mark(said, "data-kind", "good");
    look();
  } catch (refusal) {
    say(said, refusal.message);
    mark(said, "data-kind", "bad");
  }
});
