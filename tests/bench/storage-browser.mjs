/** IndexedDB and OPFS in a real Chromium with a profile on the disk: a private window keeps both in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { launchOptions } from "../../.ci/chromium.mjs";
import { serveSite } from "../torture/browser.mjs";

const html = `<!doctype html><script type="importmap">{"imports":{"idb":"/node_modules/idb/build/index.js"}}</script>`;

/** @param {number[]} batches @returns {Promise<import("./report.mjs").Figure[]>} */
export async function browser(batches) {
  const profile = mkdtempSync(join(tmpdir(), "logboom-bench-"));
  const site = await serveSite(html);
  const context = await chromium.launchPersistentContext(profile, launchOptions());
  try {
    const page = await context.newPage();
    await page.goto(site.url);
    return await page.evaluate(async ({ script, sizes }) => (await import(script)).measure(sizes), {
      script: "/tests/bench/storage-page.mjs",
      sizes: batches,
    });
  } finally {
    await context.close();
    site.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
