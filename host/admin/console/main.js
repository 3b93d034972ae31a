// The page: asks every two seconds, shows what it is told, says so when nobody answers.

import { get, keep } from "./api.js";
import { by, mark, say } from "./dom.js";
import * as cache from "./cache.js";
import * as plugins from "./plugins.js";
import * as refusals from "./refusals.js";
import * as routes from "./routes.js";
import * as upstreams from "./upstreams.js";
import * as way from "./way.js";

const EVERY = 2000;
const LATEST_RETRY = 8000;

/** What the gateway said last. */
const seen = { live: null, routes: [], plugins: [], upstreams: {}, cache: null };
let failures = 0;
let again = null;
let asked = false;

async function look() {
  clearTimeout(again);
  let told;
  try {
    told = await Promise.all(["/live", "/routes", "/plugins", "/upstreams", "/cache"].map(get));
  } catch (refusal) {
    if (refusal.status === 401 || refusal.status === 403) return askToken(refusal);
    failures += 1;
    again = setTimeout(look, Math.min(EVERY * 2 ** (failures - 1), LATEST_RETRY));
    return unanswered(refusal);
  }
  failures = 0;
  again = setTimeout(look, EVERY);
  const [live, list, loaded, servers, stored] = told;
  Object.assign(seen, { live, routes: list, plugins: loaded, upstreams: servers, cache: stored });
  show();
  state("live", `Generation ${live.generation}`);
  refusals.follow();
}

function unanswered(refusal) {
  state("gone", "No answer");
  const gone = by("gone");
  const old = seen.live ? " What you see is from before." : "";
  say(gone, `${refusal.message}${old} This page asks again until it answers.`);
  gone.hidden = false;
  document.body.dataset.stale = "";
}

function show() {
  by("gone").hidden = true;
  delete document.body.dataset.waiting;
  delete document.body.dataset.stale;
  routes.show(seen);
  way.show(seen);
  upstreams.show(seen);
  plugins.show(seen);
  cache.show(seen);
  refusals.show(seen);
}

function state(name, text) {
  const link = by("link");
  mark(link, "data-state", name);
  say(link, text);
}

function askToken(refusal) {
  state("gone", "Token needed");
  // The first time nobody has said anything wrong yet.
  say(by("token-said"), asked ? refusal.message : "");
  asked = true;
  by("ask-token").showModal();
}

by("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep(by("token").value);
  by("token").value = "";
  by("ask-token").close();
  look();
});

// Without a token there is nothing to see behind it.
by("ask-token").addEventListener("cancel", (event) => event.preventDefault());

const THEMES = ["auto", "light", "dark"];

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  say(by("theme-name"), name);
  try {
    localStorage.setItem("portcullis-theme", name);
  } catch {
    // Then it holds for this page.
  }
}

const themeNow = () => document.documentElement.dataset.theme ?? "auto";
by("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length]));
theme(themeNow());

plugins.after(look);
cache.after(look);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
look();
