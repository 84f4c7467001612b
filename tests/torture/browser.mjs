/**
 * A page writes to IndexedDB or OPFS and the whole browser, every process of it, is killed at random.
 *
 * Chromium now and then comes back from that with an empty IndexedDB. Then the identity must be gone with the entries: a
 * wipe is counted, an old identity without its entries is a loss.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launchArgs, launchOptions } from "../../.ci/chromium.mjs";
import { chance, createJudge, hear, newLife } from "./judge.mjs";
import { importMap, serveSite } from "./site.mjs";
import { kill, victim } from "./victims.mjs";

/** A browser that did not get so far is killed and counted as a round without acknowledgements. */
const readyWithinMs = 30_000;

/** @param {{ rounds?: string, seed?: string, backend?: string }} options */
export async function run({ rounds = "10", seed = "1", backend = "indexeddb" }) {
  const profile = mkdtempSync(join(tmpdir(), "logboom-browser-"));
  const { result, judge } = createJudge();
  const random = chance(Number(seed));
  const site = await serveSite(page(backend));
  const begun = performance.now();
  try {
    for (let round = 1; round <= Number(rounds) && result.findings.length < 20; round++) {
      judge(round, await oneLife(site, profile, round, 20 + random() * 400));
    }
  } finally {
    site.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const { cases, acked, lost, silent, wiped } = result;
  console.log(
    `${backend}: ${cases} kills in ${seconds} s, ${acked} entries acknowledged, ${lost} lost, ${silent} alien or wrong, ${wiped} wiped (${((100 * wiped) / Math.max(1, cases)).toFixed(2)} % of kills)`,
  );
  return result;
}

/** @param {string} backend */
function page(backend) {
  const open =
    backend === "opfs"
      ? `import { openOpfsStore } from "/dist/storage/opfs.js"; const open = () => openOpfsStore({ name: "torture", segmentBytes: 100_000, trailingEntries: 50 });`
      : `import { openIndexedDbStore } from "/dist/storage/indexeddb.js"; const open = () => openIndexedDbStore({ name: "torture" });`;
  return `<!doctype html>${importMap}
<script type="module">
${open}
import { writeUntilKilled } from "/tests/torture/writer.mjs";
const socket = new WebSocket(location.href.replace("http", "ws"));
await new Promise((done) => { socket.onopen = done; });
const say = (line) => socket.send(line);
try { await writeUntilKilled(await open(), Number(new URLSearchParams(location.search).get("round")), say); }
catch (error) { say("error " + error); }
</script>`;
}

/** @param {import("./site.mjs").Site} site @param {string} profile @param {number} round @param {number} ms */
async function oneLife(site, profile, round, ms) {
  const life = newLife();
  const { executablePath } = launchOptions();
  if (executablePath === undefined) throw new Error("no browser: run npm test once, it finds one");
  const args = [
    ...launchArgs,
    "--headless=new",
    "--no-sandbox",
    "--no-default-browser-check",
    `--user-data-dir=${profile}`,
    `${site.url}?round=${round}`,
  ];
  const ready = new Promise((resolve) => {
    site.listen((line) => {
      hear(life, line);
      if (line === "ready" || line.startsWith("error")) resolve(undefined);
    });
  });
  // A process group of its own, so that all of the browser dies at once.
  const browser = victim(
    spawn(executablePath, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] }),
  );
  const ended = new Promise((resolve) => browser.once("close", resolve));
  // Read, so that a full pipe does not stop it; what it says is of no interest.
  createInterface({ input: browser.stderr }).on("line", () => {});
  const timeout = new Promise((resolve) => setTimeout(resolve, readyWithinMs).unref());
  await Promise.race([ready, ended, timeout]);
  await new Promise((resolve) => setTimeout(resolve, ms));
  kill(browser);
  await ended;
  site.listen(() => {});
  return life;
}
