// node tests/bench/zz-ab.mjs 1,256 dist dist-b ...
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
try {
  const page = await context.newPage();
  page.on("console", (m) => console.log(m.text()));
  await page.goto(site.url);
  await page.evaluate(async ([b, d]) => { await (await import("/tests/bench/zz-ab-page.mjs")).run(b, d); }, [process.argv[2].split(",").map(Number), process.argv.slice(3)]);
} finally {
  await context.close(); site.close(); rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
