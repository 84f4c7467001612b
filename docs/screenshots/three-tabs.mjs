/**
 * Takes three-tabs.png anew: three real tabs of a running demo, side by side.
 *
 *     npm start                                                  in one terminal
 *     node docs/screenshots/three-tabs.mjs http://localhost:8787/    in another
 */
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { launchOptions } from "../../.ci/chromium.mjs";

const [url = "http://localhost:8787/"] = process.argv.slice(2);
const target = fileURLToPath(new URL("three-tabs.png", import.meta.url));
const width = 630;
const height = 900;

const browser = await chromium.launch(launchOptions());
const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce" });
await context.addInitScript(() => localStorage.setItem("logboom-demo/name", "Laptop"));

const tabs = [];
for (const _ of "123") {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.room?.status.quorum === "ok");
  tabs.push(page);
}
const [first, second, third] = tabs;
for (const page of tabs)
  await page.getByText("3 of 3 here: writing works").waitFor({ timeout: 30_000 });

await first.evaluate(async () => {
  const { addCard, claimCard } = globalThis.room.do;
  const cards = [
    ["Book the ferry", "todo"],
    ["Ask Ann for the keys", "todo"],
    ["Order 12 life jackets", "doing"],
    ["Paint the hull", "doing"],
    ["Sign the insurance", "done"],
  ];
  const ids = [];
  for (const [title, column] of cards) ids.push(await addCard({ title, column }));
  await claimCard({ id: ids[4] });
});
// Two tabs claim the same card; whoever comes second reads "taken".
for (const page of [second, third])
  await page.getByRole("button", { name: "claim “Order 12 life jackets”" }).click();
await third.locator(".card-outcome").filter({ hasText: "taken" }).waitFor();
await first.getByRole("button", { name: "fight for it" }).click();
for (const page of tabs) {
  await page.getByText("100 rounds, 100 winners, 0 double").waitFor({ timeout: 60_000 });
  await page.evaluate(() => {
    globalThis.document.activeElement?.blur();
    globalThis.scrollTo(0, 0);
  });
}

const shots = [];
for (const page of tabs) shots.push((await page.screenshot()).toString("base64"));
const frame = await browser.newPage({ viewport: { width: 3 * width + 80, height: height + 40 } });
await frame.setContent(`<style>
  body { margin: 0; padding: 20px; display: flex; gap: 20px; background: #dfe3e2 }
  img { display: block; width: ${width}px; height: ${height}px; border-radius: 12px; box-shadow: 0 2px 12px #0003 }
</style>${shots.map((shot) => `<img src="data:image/png;base64,${shot}">`).join("")}`);
await frame.screenshot({ path: target });
await browser.close();
console.log(target);
