/**
 * The browser's quota runs out, really, in a Chromium with a profile on the disk: nothing is acknowledged afterwards, and once there is
 * room again all that was acknowledged is there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright";
import { afterEach, beforeEach, expect, test } from "vitest";
import { launchOptions } from "../../.ci/chromium.mjs";
import { serveSite } from "./browser.mjs";
import type { Life } from "./fill-up.mjs";

const html = `<!doctype html><script type="importmap">{"imports":{"idb":"/node_modules/idb/build/index.js"}}</script>`;

let profile: string;
let site: Awaited<ReturnType<typeof serveSite>>;
let context: BrowserContext;

beforeEach(async () => {
  profile = mkdtempSync(join(tmpdir(), "logboom-quota-"));
  site = await serveSite(html);
  context = await chromium.launchPersistentContext(profile, launchOptions());
});

afterEach(async () => {
  await context.close();
  site.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

async function fillUp(page: Page, backend: string, quotaSize: number): Promise<Life> {
  const session = await context.newCDPSession(page);
  const { origin } = new URL(site.url);
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
  const script = "/tests/torture/fill-up.mjs";
  return await page.evaluate(`import("${script}").then(({ fillUp }) => fillUp("${backend}"))`);
}

test.each(["opfs", "indexeddb"])(
  "%s: a full quota stops acknowledgements, and what was acknowledged stays",
  async (backend) => {
    const page = await context.newPage();
    await page.goto(site.url);
    const full = await fillUp(page, backend, 9_000_000);
    expect(full).toMatchObject({ created: true, found: 0, told: 1 });
    expect(full.acked).toBeGreaterThan(100);
    expect(full.failure).toMatch(/^STORAGE_FAILED, unknown: .*QuotaExceededError.*make room/);
    for (const text of full.after) expect(text).toMatch(/^STORAGE_FAILED, none: .*failed before/);

    const roomy = await fillUp(page, backend, 30_000_000);
    expect(roomy.created).toBe(false);
    // The write that failed may have got through.
    expect([full.acked, full.acked + 1]).toContain(roomy.found);
    expect(roomy.acked).toBeGreaterThan(full.acked + 100);
  },
);
