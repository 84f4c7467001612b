/**
 * The browser's quota runs out, really, in a Chromium with a profile on the disk: nothing is acknowledged afterwards, and once there is
 * room again all that was acknowledged is there.
 */
import type { BrowserContext, Page } from "playwright";
import { expect, test } from "vitest";
import type { Life } from "./fill-up.mjs";
import { importMap, inProfile } from "./site.mjs";

async function fillUp(page: Page, backend: string, quotaSize: number): Promise<Life> {
  const session = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
  const script = "/tests/torture/fill-up.mjs";
  return await page.evaluate(`import("${script}").then(({ fillUp }) => fillUp("${backend}"))`);
}

async function fillUpTwice(backend: string, context: BrowserContext, url: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(url);
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
}

test.each(["opfs", "indexeddb"])(
  "%s: a full quota stops acknowledgements, and what was acknowledged stays",
  (backend) =>
    inProfile(`<!doctype html>${importMap}`, (context, url) => fillUpTwice(backend, context, url)),
);
