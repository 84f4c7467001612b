/**
 * What the stories have in common: opening tabs, and waiting until a room is as a sentence says.
 *
 * Everything waits for a condition in the page, through `globalThis.room`; nothing sleeps. One browser context is one profile.
 * A tab behind another one has a frame a second, and Playwright's mouse waits for two: `bringToFront` saves seconds, nothing else.
 */
import { type BrowserContext, expect, type Page } from "@playwright/test";
import type { BoardRoom } from "../../demo/src/opening.js";

declare global {
  var room: BoardRoom | undefined;
}

/** How long a room may take for anything that is not a measurement: generous, since two cores may be busy with other tests. */
export const patient: { timeout: number } = { timeout: 45_000 };

/** Opens the demo in a new tab of this profile and waits until its room is open. */
export async function openTab(context: BrowserContext, url = "/"): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await roomOpen(page);
  return page;
}

export async function openTabs(context: BrowserContext, count: number, url = "/"): Promise<Page[]> {
  const pages: Page[] = [];
  while (pages.length < count) pages.push(await openTab(context, url));
  return pages;
}

export async function roomOpen(page: Page): Promise<void> {
  await page.waitForFunction(() => globalThis.room !== undefined, undefined, patient);
}

/** Commands are accepted. */
export async function writable(page: Page): Promise<void> {
  await page.waitForFunction(
    () => globalThis.room?.status.quorum === "ok" && globalThis.room.status.role !== "joining",
    undefined,
    patient,
  );
}

/** Every one of `pages` sees exactly `count` voters and a leader. */
export async function haveVoters(pages: readonly Page[], count: number): Promise<void> {
  for (const page of pages)
    await page.waitForFunction(
      (voters) =>
        globalThis.room?.status.quorum === "ok" && globalThis.room.status.voters.length === voters,
      count,
      patient,
    );
}

/** `count` tabs of one profile, all of them voters and linked with each other. */
export async function openVoters(context: BrowserContext, count: number): Promise<Page[]> {
  const pages = await openTabs(context, count);
  await haveVoters(pages, count);
  for (const page of pages)
    await page.waitForFunction(
      (others) => globalThis.room?.status.connected === others,
      count - 1,
      patient,
    );
  return pages;
}

/** The tab that leads, and the others. Waits until exactly one says that it does. */
export async function leaderOf(
  pages: readonly Page[],
): Promise<{ leader: Page; followers: Page[] }> {
  let leaders: Page[] = [];
  await expect(async () => {
    const roles = await Promise.all(
      pages.map((page) => page.evaluate(() => globalThis.room?.status.role)),
    );
    leaders = pages.filter((_page, at) => roles[at] === "leader");
    expect(roles.filter((role) => role === "leader")).toHaveLength(1);
  }).toPass(patient);
  const leader = leaders[0] as Page;
  return { leader, followers: pages.filter((page) => page !== leader) };
}

/** Which peer this tab is. */
export async function idOf(page: Page): Promise<number> {
  return await page.evaluate(() => (globalThis.room as BoardRoom).me.id);
}

/** Adds a card by the API and answers its id, once it is committed and applied in that tab. */
export async function addCard(page: Page, title: string, column = "todo"): Promise<string> {
  return await page.evaluate(
    async ([title, column]) => {
      const room = globalThis.room as BoardRoom;
      return await room.do.addCard({ title, column: column as "todo" });
    },
    [title, column] as const,
  );
}

/** Every one of `pages` draws a card of this title in this column. */
export async function showCard(
  pages: readonly Page[],
  title: string,
  column = "todo",
): Promise<void> {
  for (const page of pages) await expect(cardIn(page, title, column)).toBeVisible(patient);
}

export function cardIn(page: Page, title: string, column = "todo") {
  return page.locator(`#column-${column} .card`).filter({ hasText: title });
}

/** What the board is, as text that two tabs can be compared by. */
export async function boardOf(page: Page): Promise<string> {
  return await page.evaluate(() => JSON.stringify(globalThis.room?.committed));
}

/** All tabs hold the same board. */
export async function agree(pages: readonly Page[]): Promise<void> {
  await expect(async () => {
    const boards = await Promise.all(pages.map(boardOf));
    expect(new Set(boards).size).toBe(1);
  }).toPass(patient);
}

/** Ends a tab's renderer without a goodbye: no `pagehide`, no closed channels. */
export async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent("crash");
  const session = await page.context().newCDPSession(page);
  // The renderer dies before it can answer.
  void session.send("Page.crash").catch(() => {});
  await crashed;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
