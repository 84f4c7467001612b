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
  haveVoters,
  idOf,
  leaderOf,
  openTab,
  openVoters,
  patient,
  showCard,
  writable,
} from "./tabs.js";

/** Milliseconds until a command given in `page` now is acknowledged. */
async function timeToWrite(page: Page, title: string): Promise<number> {
  const start = performance.now();
  await addCard(page, title);
  return Math.round(performance.now() - start);
}

/** Adds cards in this tab, one after the other, and reports each as soon as it is acknowledged. */
async function addCardsForever(page: Page, name: string): Promise<void> {
  await page.evaluate((name) => {
    const here = globalThis as unknown as {
      acknowledged(title: string): Promise<void>;
      done?: number;
    };
    void (async () => {
      for (let number = 1; here.done === undefined; number++) {
        const title = `${name}: ${number}`;
        await globalThis.room?.do.addCard({ title, column: "todo" });
        await here.acknowledged(title);
      }
    })();
  }, name);
}

const titlesOn = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    Object.values(globalThis.room?.committed.cards ?? {}).map(({ title }) => title),
  );

const ends: [string, (page: Page) => Promise<void>][] = [
  ["tab is closed", (page) => page.close()],
  ["renderer is killed", crash],
];

for (const [how, end] of ends)
  test(`the leader's ${how}, and work goes on`, async ({ context }) => {
    const pages = await openVoters(context, 3);
    await addCard(pages[0] as Page, "Before");
    await showCard(pages, "Before");
    const { leader, followers } = await leaderOf(pages);

    await end(leader);
    const took = await timeToWrite(followers[0] as Page, "After");

    console.log(`the leader's ${how}: the next command acknowledged after ${took} ms`);
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

test("no acknowledged card is lost or doubled while leaders die and tabs come", async ({
  context,
}) => {
  test.slow();
  const acknowledged: string[] = [];
  await context.exposeFunction("acknowledged", (title: string) => acknowledged.push(title));
  let pages = await openVoters(context, 3);
  await Promise.all(pages.map((page, tab) => addCardsForever(page, `tab ${tab}`)));

  for (let death = 1; death <= 3; death++) {
    await expect.poll(() => acknowledged.length).toBeGreaterThan(death * 30);
    const { leader, followers } = await leaderOf(pages);
    await crash(leader);
    await leader.close();
    const newcomer = await openTab(context);
    pages = [...followers, newcomer];
    await addCardsForever(newcomer, `newcomer ${death}`);
    await haveVoters(pages, 3);
  }
  await expect.poll(() => acknowledged.length).toBeGreaterThan(200);

  await Promise.all(
    pages.map((page) => page.evaluate(() => Object.assign(globalThis, { done: 1 }))),
  );
  const expected = [...acknowledged];
  for (const page of pages)
    await expect(async () => {
      const titles = await titlesOn(page);
      expect(new Set(titles).size, "titles that appear once").toBe(titles.length);
      expect(expected.filter((title) => !titles.includes(title))).toEqual([]);
    }).toPass(patient);
  await agree(pages);
});

test("a reload takes the tab's place again", async ({ context }) => {
  const pages = await openVoters(context, 3);
  const [page] = pages as [Page, Page, Page];
  await addCard(page, "Before");
  const before = await idOf(page);
  await page.reload();
  await writable(page);
  await showCard([page], "Before");
  expect(await idOf(page)).toBe(before);
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
