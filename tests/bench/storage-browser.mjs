/** IndexedDB and OPFS in a real Chromium. */
import { importMap, inProfile } from "../torture/site.mjs";

/** @param {number[]} batches @returns {Promise<import("./report.mjs").Figure[]>} */
export function browser(batches) {
  return inProfile(`<!doctype html>${importMap}`, async (context, url) => {
    const page = await context.newPage();
    await page.goto(url);
    return await page.evaluate(async ({ script, sizes }) => (await import(script)).measure(sizes), {
      script: "/tests/bench/storage-page.mjs",
      sizes: batches,
    });
  });
}
