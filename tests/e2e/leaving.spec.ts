/** Tabs go: closed, killed, all of them. The board stays, and can be written. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, expect, type Page, test } from "@playwright/test";
import { launchOptions } from "../../.ci/chromium.mjs";
import {
  addCard,
  agree,
  crash,
  leaderOf,
  openTab,
  openVoters,
  showCard,
  writable,
} from "./tabs.js";

/** Milliseconds until a command given in `page` now is acknowledged. */
async function timeToWrite(page: Page, title: string): Promise<number> {
  const start = performance.now();
  await addCard(page, title);
  return Math.round(performance.now() - start);
}

test("the leader's tab is closed, and work goes on", async ({ context }) => {
  const pages = await openVoters(context, 3);
  await addCard(pages[0] as Page, "Before");
  await showCard(pages, "Before");
  const { leader, followers } = await leaderOf(pages);

  await leader.close();
  const took = await timeToWrite(followers[0] as Page, "After");

  console.log(`leader's tab closed: the next command acknowledged after ${took} ms`);
  await showCard(followers, "Before");
  await showCard(followers, "After");
  await agree(followers);
});

test("the leader's renderer is killed, and work goes on", async ({ context }) => {
  const pages = await openVoters(context, 3);
  await addCard(pages[0] as Page, "Before");
  await showCard(pages, "Before");
  const { leader, followers } = await leaderOf(pages);

  await crash(leader);
  const took = await timeToWrite(followers[0] as Page, "After");

  console.log(`leader's renderer killed: the next command acknowledged after ${took} ms`);
  await showCard(followers, "Before");
  await showCard(followers, "After");
  await agree(followers);
});

test("two of three are closed, one after the other, and the last goes on", async ({ context }) => {
  const pages = await openVoters(context, 3);
  const [last, second, third] = pages as [Page, Page, Page];
  await addCard(last, "Before");
  await third.close();
  await addCard(last, "With two");
  await second.close();
  await addCard(last, "Alone");
  await showCard([last], "Alone");
});

test("two of three are killed at once: the last one adopts them and goes on", async ({
  context,
}) => {
  const pages = await openVoters(context, 3);
  const [last, ...killed] = pages as [Page, Page, Page];
  await addCard(last, "Before");
  await Promise.all(killed.map(crash));
  await addCard(last, "After");
  await showCard([last], "After");
});

test("a reload takes the tab's place again", async ({ context }) => {
  const pages = await openVoters(context, 3);
  const [page] = pages as [Page, Page, Page];
  await addCard(page, "Before");
  const before = await page.evaluate(() => globalThis.room?.me.id);
  await page.reload();
  await writable(page);
  await showCard([page], "Before");
  expect(await page.evaluate(() => globalThis.room?.me.id)).toBe(before);
  await addCard(page, "After");
  await showCard(pages, "After");
});

for (const browserEnds of [false, true])
  test(`all tabs are closed${browserEnds ? ", the browser too," : ""} and one is reopened: the board is back and can be written`, async ({
    baseURL,
  }) => {
    test.slow();
    const profile = await mkdtemp(join(tmpdir(), "logboom-profile-"));
    const start = () =>
      chromium.launchPersistentContext(profile, { ...launchOptions(), baseURL: baseURL as string });
    let context = await start();
    try {
      const pages = await openVoters(context, 3);
      await addCard(pages[0] as Page, "Kept");
      await showCard(pages, "Kept");

      for (const page of pages) await page.close();
      if (browserEnds) {
        await context.close();
        context = await start();
      }

      const reopened = await openTab(context);
      await showCard([reopened], "Kept");
      await addCard(reopened, "Written again");
      await showCard([reopened], "Written again");

      const another = await openTab(context);
      await showCard([another], "Kept");
      await showCard([another], "Written again");
      await agree([reopened, another]);
    } finally {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });

test("all tabs are killed and one is reopened: the board is back and can be written", async ({
  context,
}) => {
  const pages = await openVoters(context, 3);
  await addCard(pages[0] as Page, "Kept");
  await showCard(pages, "Kept");
  await Promise.all(pages.map(crash));
  for (const page of pages) await page.close();

  const reopened = await openTab(context);
  await showCard([reopened], "Kept");
  await addCard(reopened, "Written again");
  await showCard([reopened], "Written again");
});
