/** Figures of this machine, printed and not asserted: how long a command takes, and how long a newcomer. */
import { type Page, test } from "@playwright/test";
import { addCard, leaderOf, median, openVoters } from "./tabs.js";

const commands = 100;
const newcomers = 7;

/** Milliseconds that each of `commands` commands took, one after the other, as the page saw it. */
const acknowledgements = (page: Page): Promise<number[]> =>
  page.evaluate(async (count) => {
    const took: number[] = [];
    for (let number = 0; number < count; number++) {
      const start = performance.now();
      await globalThis.room?.do.addCard({ title: `card ${number}`, column: "todo" });
      took.push(performance.now() - start);
    }
    return took;
  }, commands);

test("a command with three tabs", async ({ context }) => {
  test.slow();
  const { leader, followers } = await leaderOf(await openVoters(context, 3));
  const atFollower = await acknowledgements(followers[0] as Page);
  const atLeader = await acknowledgements(leader);
  const figure = (took: number[]): string => median(took).toFixed(1);
  console.log(
    `ack p50 ${figure([...atFollower, ...atLeader])} ms (three tabs; leader ${figure(atLeader)}, follower ${figure(atFollower)})`,
  );
});

test("a newcomer sees the board", async ({ context }) => {
  test.slow();
  const [host] = (await openVoters(context, 3)) as [Page];
  await addCard(host, "Seen by newcomers");
  const took: number[] = [];
  for (let number = 0; number < newcomers; number++) {
    const page = await context.newPage();
    const start = performance.now();
    await page.goto("/");
    await page.locator(".card", { hasText: "Seen by newcomers" }).waitFor();
    took.push(performance.now() - start);
    await page.close();
  }
  console.log(
    `newcomer p50 ${Math.round(median(took))} ms (from opening the page to seeing the board)`,
  );
});
