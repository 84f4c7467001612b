import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { launchOptions } from "../../.ci/chromium.mjs";
import { serveSite } from "../torture/browser.mjs";
const html = `<!doctype html><script type="importmap">{"imports":{"idb":"/node_modules/idb/build/index.js"}}</script>`;
const profile = mkdtempSync(join(tmpdir(), "logboom-bench-"));
const site = await serveSite(html);
const context = await chromium.launchPersistentContext(profile, launchOptions());
function report(title, p) {
  const self = new Map(); const byId = new Map(p.nodes.map((n) => [n.id, n]));
  let total = 0;
  p.samples.forEach((id, k) => { const d = p.timeDeltas[k]; const n = byId.get(id); const key = `${n.callFrame.functionName || "(anon)"} ${n.callFrame.url.split("/").pop()}:${n.callFrame.lineNumber}`; self.set(key, (self.get(key) ?? 0) + d); total += d; });
  console.log(title, "total ms", (total / 1000).toFixed(0));
  for (const [k, v] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 22)) console.log("  ", (v / 1000 / Number(process.argv[3] ?? 1500) * 1000).toFixed(1).padStart(8), "us/call", k);
}
try {
  const page = await context.newPage();
  await page.goto(site.url);
  const cdp = await context.newCDPSession(page);
  await page.evaluate(async () => { const { openOpfsStore } = await import("/dist/storage/opfs.js"); const { entriesOf } = await import("/tests/bench/storage-turns.mjs");
    const store = await openOpfsStore({ name: "cpu" }); await store.storage.load(); let next = 1;
    globalThis.go = async (batch, n) => { for (let k = 0; k < n; k++) { const entries = entriesOf(next, batch); next += batch; await store.storage.append({ hardState: undefined, snapshot: undefined, entries, sync: true }); } }; await globalThis.go(256, 300); });
  await cdp.send("Profiler.enable"); await cdp.send("Profiler.setSamplingInterval", { interval: 50 }); await cdp.send("Profiler.start");
  const n = Number(process.argv[3] ?? 1500);
  const t = performance.now();
  await page.evaluate(([b, n]) => globalThis.go(b, n), [Number(process.argv[2] ?? 256), n]);
  console.log("per call us", ((performance.now() - t) / n * 1000).toFixed(0));
  report("page", (await cdp.send("Profiler.stop")).profile);
} finally { await context.close(); site.close(); rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); }
