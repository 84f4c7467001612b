/**
 * `npm run bench -- browser`: the demo in three tabs of a real Chromium, as `npm start` serves it, beside the least that a replicated write
 * costs there: three bare pages with bare data channels, where a write is a strict put here and one at a peer (browser-bare.mjs).
 *
 * Both take turns. Of every figure the median counts, and all of it is as the page sees it.
 */
import { startDemo } from "../e2e/demo-server.mjs";
import { inProfile } from "../torture/site.mjs";
import { median } from "./measure.mjs";
import { begin, printReport } from "./report.mjs";

/** @typedef {import("playwright").Page} Page @typedef {import("playwright").BrowserContext} Context */

const rounds = 8;
const commandsPerRound = 25;
const outstanding = 64;
const loadMs = 1000;
const newcomers = 7;
const patient = { timeout: 60_000 };
const html = `<!doctype html><title>bare</title><script type="module" src="/tests/bench/browser-bare.mjs"></script>`;

/** @param {Context} context @param {string} url */
async function open(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Three tabs of the demo, all voters and linked with each other. @param {Context} context @param {string} url */
async function openRoom(context, url) {
  const pages = [await open(context, url), await open(context, url), await open(context, url)];
  for (const page of pages) {
    await page.waitForFunction(
      () => {
        const { status } = globalThis.room ?? {};
        return status?.quorum === "ok" && status.voters.length === 3 && status.connected === 2;
      },
      undefined,
      patient,
    );
  }
  const roles = await Promise.all(pages.map((page) => page.evaluate(() => room.status.role)));
  const leader = pages[roles.indexOf("leader")];
  const follower = pages[roles.indexOf("voter")];
  if (leader === undefined || follower === undefined) throw new Error(`roles: ${roles}`);
  await leader.evaluate(async () => {
    globalThis.card = await room.do.addCard({ title: "Moved to and fro", column: "todo" });
  });
  const card = await leader.evaluate(() => globalThis.card);
  await follower.evaluate((id) => {
    globalThis.card = id;
  }, card);
  return { leader, follower };
}

/** @param {Context} context @param {string} url */
async function openBare(context, url) {
  const pages = [await open(context, url), await open(context, url), await open(context, url)];
  for (const page of pages) {
    await page.waitForFunction(() => globalThis.bare?.links() === 2, undefined, patient);
  }
  return /** @type {[Page, Page, Page]} */ (pages);
}

/** Milliseconds that each of `count` commands took, one after the other. @param {Page} page @param {number} count @returns {Promise<number[]>} */
function commands(page, count) {
  return page.evaluate(async (count) => {
    const took = [];
    for (let n = 0; n < count; n++) {
      const begun = performance.now();
      await room.do.moveCard({ id: globalThis.card, column: n % 2 === 0 ? "doing" : "todo" });
      took.push(performance.now() - begun);
    }
    return took;
  }, count);
}

/** Commands per second with so many outstanding. @param {Page} page */
function loadOf(page) {
  return page.evaluate(
    async ({ outstanding, loadMs }) => {
      const begun = performance.now();
      let count = 0;
      const one = async () => {
        while (performance.now() - begun < loadMs) {
          await room.do.moveCard({ id: globalThis.card, column: "doing" });
          count++;
        }
      };
      await Promise.all(Array.from({ length: outstanding }, one));
      return (count * 1000) / (performance.now() - begun);
    },
    { outstanding, loadMs },
  );
}

/** @param {Page} page @param {"write" | "forward"} how @returns {Promise<number[]>} */
function bareTimes(page, how) {
  return page.evaluate(
    ([how, count]) => globalThis.bare.times(how, count),
    [how, commandsPerRound],
  );
}

/**
 * Milliseconds from opening a page until `seen`, of each of some.
 *
 * @param {Context} context
 * @param {string} url
 * @param {(page: Page) => Promise<unknown>} seen
 */
async function newcomer(context, url, seen) {
  const page = await context.newPage();
  const begun = performance.now();
  await page.goto(url);
  await seen(page);
  const took = performance.now() - begun;
  await page.close();
  return took;
}

/** @param {Context} context @param {string} demoUrl @param {string} bareUrl */
async function measure(context, demoUrl, bareUrl) {
  begin("opening tabs");
  const { leader, follower } = await openRoom(context, demoUrl);
  const [bare] = await openBare(context, bareUrl);
  /** @type {Record<"lead" | "follow" | "load" | "write" | "forward" | "newcomer" | "visitor", number[]>} */
  const seen = {
    lead: [],
    follow: [],
    load: [],
    write: [],
    forward: [],
    newcomer: [],
    visitor: [],
  };
  begin("commands");
  for (let round = -1; round < rounds; round++) {
    const lead = await commands(leader, commandsPerRound);
    const write = await bareTimes(bare, "write");
    const follow = await commands(follower, commandsPerRound);
    const forward = await bareTimes(bare, "forward");
    const load = await loadOf(leader);
    if (round < 0) continue;
    seen.lead.push(...lead);
    seen.write.push(...write);
    seen.follow.push(...follow);
    seen.forward.push(...forward);
    seen.load.push(load);
  }
  begin("newcomers");
  for (let n = 0; n < newcomers; n++) {
    seen.newcomer.push(
      await newcomer(context, demoUrl, (page) => page.locator(".card").first().waitFor()),
    );
    seen.visitor.push(
      await newcomer(context, bareUrl, (page) =>
        page
          .waitForFunction(() => globalThis.bare?.links() > 0)
          .then(() => page.evaluate(() => globalThis.bare.forward())),
      ),
    );
  }
  return seen;
}

const demo = await startDemo();
try {
  const seen = await inProfile(html, (context, url) => measure(context, demo.url, url));
  printReport("browser", "bare", [
    {
      name: "a command in the leader's tab, p50",
      unit: "ms",
      ours: median(seen.lead),
      reference: median(seen.write),
    },
    {
      name: "a command in a follower's tab, p50",
      unit: "ms",
      ours: median(seen.follow),
      reference: median(seen.forward),
    },
    {
      name: `${outstanding} commands outstanding in the leader's tab, beside single writes`,
      unit: "commands/s",
      ours: median(seen.load),
      reference: 1000 / median(seen.write),
    },
    {
      name: "a newcomer sees the board, p50, beside a page that links up and writes once",
      unit: "ms",
      ours: median(seen.newcomer),
      reference: median(seen.visitor),
    },
  ]);
} finally {
  await demo.stop();
}
