import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { launchOptions } from "../../.ci/chromium.mjs";
import { serveSite } from "../torture/browser.mjs";
const profile = mkdtempSync(join(tmpdir(), "logboom-bench-"));
const site = await serveSite("<!doctype html>");
const context = await chromium.launchPersistentContext(profile, launchOptions());
try {
  const page = await context.newPage();
  await page.goto(site.url);
  console.log((await page.evaluate((f) => new Promise((r) => { const w = new Worker(f, { type: "module" }); w.onmessage = (e) => r(e.data); w.onerror = (e) => r([e.message]); }), `/tests/bench/${process.argv[2]}`)).join("\n"));
} finally { await context.close(); site.close(); rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); }
