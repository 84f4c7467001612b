/** Three tabs, one board: what is done in one tab is seen in all. */
import { expect, type Page, test } from "@playwright/test";
import {
  addCard,
  agree,
  cardIn,
  haveVoters,
  idOf,
  openTab,
  openTabs,
  openVoters,
  roomOpen,
  showCard,
  writable,
} from "./tabs.js";

test("the first tab founds a room, and two more find it", async ({ context }) => {
  const first = await openTab(context);
  await writable(first);
  await expect(first.locator("#sentence")).toHaveText("1 of 1 here: writing works");

  for (const link of ["a second tab", "a third tab"]) {
    const opened = context.waitForEvent("page");
    await first.getByRole("link", { name: link }).click();
    await roomOpen(await opened);
  }
  const pages = context.pages();
  await haveVoters(pages, 3);
  for (const page of pages) {
    await expect(page.locator("#sentence")).toHaveText("3 of 3 here: writing works");
    await expect(page.locator(".peer")).toHaveCount(3);
    await expect(page.locator('.peer[data-role="leader"] .crown')).toBeVisible();
  }
  const rooms = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.room?.id)));
  expect(new Set(rooms).size).toBe(1);
});

test("two tabs opened at once find one room", async ({ context }) => {
  const pages = await Promise.all([openTab(context), openTab(context)]);
  const rooms = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.room?.id)));
  expect(rooms[0]).toBeDefined();
  expect(rooms[1]).toBe(rooms[0]);
});

test("five tabs opened at once are one room with five voters", async ({ context }) => {
  const pages = await Promise.all([1, 2, 3, 4, 5].map(() => openTab(context)));
  await haveVoters(pages, 5);
  await addCard(pages[4] as Page, "From the fifth");
  await showCard(pages, "From the fifth");
  for (const page of pages)
    await expect(page.locator("#sentence")).toHaveText("5 of 5 here: writing works");
});

test("a duplicated tab is a peer of its own", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  // Opened by the page itself, so that it begins with a copy of the page's sessionStorage, as a duplicated tab does.
  const opened = context.waitForEvent("page");
  await page.evaluate(() => window.open(location.href));
  const duplicate = await opened;
  await roomOpen(duplicate);
  await writable(duplicate);
  const ids = await Promise.all([page, duplicate].map(idOf));
  expect(ids[0]).not.toBe(ids[1]);
  await addCard(duplicate, "From the duplicate");
  await showCard([page], "From the duplicate");
});

test("a tab that was left by a link comes back by the back button", async ({ context }) => {
  const pages = await openTabs(context, 2);
  const [page, other] = pages as [Page, Page];
  await writable(page);
  await addCard(page, "Before");
  await page.goto("about:blank");
  await addCard(other, "Meanwhile");
  await page.goBack();
  await roomOpen(page);
  await writable(page);
  await showCard([page], "Meanwhile");
  await addCard(page, "Back");
  await showCard([other], "Back");
});

test("the links between tabs are WebRTC", async ({ context }) => {
  const pages = await openVoters(context, 3);
  for (const page of pages) {
    const links = await page.evaluate(() =>
      globalThis.room?.peers.filter((peer) => !peer.self).map((peer) => peer.via),
    );
    expect(links).toEqual(["webrtc", "webrtc"]);
  }
});

test("cards are added, moved, claimed and removed in any tab", async ({ context }) => {
  const pages = await openVoters(context, 3);
  const [a, b, c] = pages as [Page, Page, Page];

  await a.bringToFront();
  await a.getByLabel("Title of a new card").fill("Book the ferry");
  await a.getByRole("button", { name: "add" }).click();
  await showCard(pages, "Book the ferry");
  await expect(a.locator("#outcome")).toHaveText("Added “Book the ferry” to todo");

  await b.bringToFront();
  await b.getByRole("button", { name: "doing: move “Book the ferry” there" }).click();
  await showCard(pages, "Book the ferry", "doing");

  await c.bringToFront();
  await c.getByRole("button", { name: "claim “Book the ferry”" }).click();
  for (const page of pages)
    await expect(cardIn(page, "Book the ferry", "doing")).toContainText("claimed by this browser");

  await a.bringToFront();
  await a.getByRole("button", { name: "remove “Book the ferry”" }).click();
  for (const page of pages) await expect(page.locator(".card")).toHaveCount(0);
  await agree(pages);
});

test("a card is dragged from column to column", async ({ context }) => {
  const pages = await openTabs(context, 2);
  const [a, b] = pages as [Page, Page];
  await writable(a);
  await addCard(a, "Paint the hull");
  await showCard([a], "Paint the hull");

  await a.bringToFront();
  await cardIn(a, "Paint the hull").locator(".card-title").hover();
  await a.mouse.down();
  await a.locator("#column-done").hover();
  await expect(a.locator("#column-done")).toHaveClass(/target/);
  await a.mouse.up();

  await showCard([a, b], "Paint the hull", "done");
  await expect(a.locator(".ghost")).toHaveCount(0);
});

test("a drag that is broken off moves nothing", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await addCard(page, "Stay here");
  await cardIn(page, "Stay here").locator(".card-title").hover();
  await page.mouse.down();
  await page.locator("#column-done").hover();
  await expect(page.locator("#column-done")).toHaveClass(/target/);
  await page.keyboard.press("Escape");
  await expect(page.locator(".ghost")).toHaveCount(0);
  await page.mouse.up();
  await addCard(page, "A later command");
  await showCard([page], "A later command");
  await expect(cardIn(page, "Stay here")).toBeVisible();
});

test("many commands from all tabs at once end in one board", async ({ context }) => {
  const pages = await openVoters(context, 3);
  await Promise.all(
    pages.map((page, tab) =>
      page.evaluate(async (tab) => {
        const commands = globalThis.room?.do;
        if (commands === undefined) throw new Error("the room is not open");
        const titles = Array.from({ length: 20 }, (_, i) => `tab ${tab} card ${i}`);
        await Promise.all(titles.map((title) => commands.addCard({ title, column: "todo" })));
      }, tab),
    ),
  );
  for (const page of pages) await expect(page.locator(".card")).toHaveCount(60);
  await agree(pages);
});
