// A person at the console, in a real Chromium: with the keyboard only where it says so. Steps are told on stdout; the first
// thing that is not as it should be ends it. NODE_PATH has playwright-core and axe-core.

const assert = require("node:assert/strict");
const http = require("node:http");
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const { ADMIN, GATE, SHOTS, TOKEN } = process.env;
const PATIENCE = 60_000;

let page;
const troubles = [];

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox"] });
  try {
    if (TOKEN) {
      await step("who has no token is asked for one, and with it sees", locked.bind(null, browser));
      return assert.deepEqual(troubles, []);
    }
    await at(browser, { colorScheme: "light", viewport: { width: 1280, height: 900 } });
    await step("the figures are there", figures);
    await step("a rollback by keyboard only", rollBack);
    await step("a purge", purge);
    await step("a refusal is told as it happens", refusal);
    await step("what is held is told afterwards", hold);
    await step("a gateway that is gone is said to be gone", gone);
    await step("a person who sees little finds nothing in his way, in light", accessible);
    await shot("light");
    await step("the theme that was chosen stays", theme);
    await at(browser, { colorScheme: "dark", viewport: { width: 1280, height: 900 } });
    await step("nor in dark", accessible);
    await shot("dark");
    await at(browser, { colorScheme: "light", viewport: { width: 390, height: 844 } });
    await step("nor on a phone, where nothing is wider than it", narrow);
    await shot("phone");
    assert.deepEqual(troubles, [], "nothing was asked of elsewhere, and nothing complained");
  } finally {
    await browser.close();
  }
}

/** A new tab of a new person, who waits for the figures. */
async function at(browser, options) {
  await open(browser, options);
  await page.waitForSelector('#link[data-state="live"]');
}

async function open(browser, options, expected = null) {
  await page?.context().close();
  const context = await browser.newContext(options);
  await context.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  page = await context.newPage();
  page.expected = expected;
  page.setDefaultTimeout(PATIENCE);
  page.on("request", (request) => request.url().startsWith(`${ADMIN}/`) || troubles.push(`asked ${request.url()}`));
  page.on("pageerror", (error) => troubles.push(`threw ${error.message}`));
  page.on("console", (message) => {
    // The browser itself says so where the gateway cannot be reached, or says no to what a person asked.
    const expected = page.expected && message.text().includes(page.expected);
    if (["error", "warning"].includes(message.type()) && !expected) troubles.push(`said ${message.text()}`);
  });
  await page.goto(`${ADMIN}/`);
}

async function locked(browser) {
  await open(browser, { colorScheme: "light" }, "status of 401");
  await page.waitForSelector("#ask-token[open]");
  assert.equal(await page.locator("#route-rows tr").count(), 0, "nothing is told without one");
  await page.fill("#token", "not-the-token-0000000000");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#token-said").textContent !== "");
  await page.fill("#token", TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForSelector('#link[data-state="live"]');
  await ask("/nowhere/at/all");
  await page.locator("#tail li", { hasText: "/nowhere/at/all" }).waitFor();
  // It stays in the tab, and goes with it.
  await page.reload();
  await page.waitForSelector('#link[data-state="live"]');
  await open(browser, { colorScheme: "light" }, "status of 401");
  await page.waitForSelector("#ask-token[open]");
}

async function step(name, run) {
  await run();
  console.log(`ok: ${name}`);
}

async function figures() {
  await ask("/public/hello");
  await page.waitForFunction(() => Number(document.querySelector("#tiles dd").textContent) > 0);
  const routes = await page.locator("#route-rows .pick-route").allTextContents();
  assert.ok(routes.includes("users") && routes.includes("new-raid"), `${routes}`);
  const slots = await page.locator("#way-steps .slot > a").allTextContents();
  assert.ok(slots.includes("telegram"), `${slots}`);
  assert.match(await page.locator("#upstreams-note").textContent(), /servers up/);
  assert.ok((await page.evaluate(() => window.shifts)) < 0.1, "nothing jumps about");
}

/** From the first Tab to the answer, no hand on the mouse. */
async function rollBack() {
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Enter");
  await until(() => document.activeElement.closest("#plugin-stamp summary"));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#plugin-stamp .history li");
  await until(() => document.activeElement.textContent.startsWith("Roll back to"));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#confirm[open]");
  // The first that has the focus does no harm.
  assert.equal(await focused(), "Leave it");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#confirm:not([open])", { state: "attached" });
  assert.match(await focused(), /^Roll back to/, "and back to where one was");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#confirm[open]");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Roll back");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#said").textContent.includes("is rolled back"));
  await page.waitForFunction(() => document.querySelector("#plugin-stamp .history .chip").textContent === "Rolled back");
  assert.match(await page.locator("#plugin-stamp .diff").first().textContent(), /code/);
}

async function purge() {
  await ask("/public/news");
  await page.selectOption("#purge-by", "prefix");
  await page.fill("#purge-what", "/public/");
  await page.click("#purge button");
  await page.waitForFunction(() => /answers? (is|are) forgotten/.test(document.querySelector("#purge-said").textContent));
  assert.equal(await page.locator("#purge-said").textContent(), "1 answer is forgotten.");
  page.expected = "status of 400";
  await page.fill("#purge-what", "no path");
  await page.click("#purge button");
  await page.waitForSelector('#purge-said[data-kind="bad"]');
  page.expected = null;
}

async function refusal() {
  await ask("/api/users/42?secret=hush");
  const told = page.locator("#tail li", { hasText: "/api/users/42" }).first();
  await told.waitFor();
  const text = await told.textContent();
  assert.match(text, /401 unauthenticated/);
  assert.ok(!text.includes("hush"), text);
}

async function hold() {
  await page.click("#hold");
  await ask("/nowhere/to/go");
  await page.waitForFunction(() => document.querySelector("#refusals-note").textContent.includes("1 more"));
  assert.equal(await page.locator("#tail li", { hasText: "/nowhere/to/go" }).count(), 0);
  await page.click("#hold");
  await page.locator("#tail li", { hasText: "/nowhere/to/go" }).waitFor();
}

async function gone() {
  page.expected = "ERR_INTERNET_DISCONNECTED";
  await page.context().setOffline(true);
  await page.waitForSelector('#link[data-state="gone"]');
  assert.match(await page.locator("#gone").textContent(), /does not answer/);
  await page.context().setOffline(false);
  await page.waitForSelector('#link[data-state="live"]');
  page.expected = null;
  assert.equal(await page.locator("#gone").isVisible(), false);
  // The tail is followed again: what is refused from now on is told.
  const path = `/after/${Date.now()}`;
  const asking = setInterval(() => ask(path), 500);
  await page.locator("#tail li", { hasText: path }).first().waitFor();
  clearInterval(asking);
}

/** WCAG 2.2 A and AA, as far as a machine can tell; with a plugin and a dialog open too. */
async function accessible() {
  await page.click("#plugin-telegram summary");
  await page.waitForSelector("#plugin-telegram .history li");
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const rules = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
    const { violations } = await window.axe.run(document, rules);
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html}: ${node.failureSummary}`));
  });
  assert.deepEqual(found, []);
}

async function theme() {
  for (const name of ["light", "dark"]) {
    await page.click("#theme");
    assert.match(await page.locator("#theme").textContent(), new RegExp(name));
  }
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.reload();
  assert.equal(await ground(), dark);
  await page.waitForSelector('#link[data-state="live"]');
}

async function narrow() {
  await accessible();
  const [wide, page_] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= page_, `${wide} in ${page_}`);
}

/** Tabs on until the focus is where it is wanted. */
async function until(there) {
  for (let presses = 0; presses < 120; presses += 1) {
    if (await page.evaluate(there).then(Boolean)) return;
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
    assert.ok(seen, `one sees where one is: ${await focused()}`);
  }
  assert.fail(`no way to ${there}`);
}

const focused = () => page.evaluate(() => document.activeElement.textContent.trim());

function ask(path) {
  return new Promise((done, failed) => {
    http.get(`${GATE}${path}`, (answer) => answer.resume().on("end", () => done(answer.statusCode))).on("error", failed);
  });
}

async function shot(name) {
  if (!SHOTS) return;
  await page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
  await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

main().catch((error) => {
  console.error(error, troubles);
  process.exit(1);
});
