/** Two claim the same card: one has it, the other is told so. */
import { expect, type Page, test } from "@playwright/test";
import { addCard, agree, cardIn, crash, leaderOf, openVoters, patient, showCard } from "./tabs.js";

/** Claims a card and says how it went, as the caller was told. */
const claim = (page: Page, id: string): Promise<string> =>
  page.evaluate(
    async (id) =>
      globalThis.room?.do.claimCard({ id }).then(
        () => "won",
        (error) => String(error.reason ?? error),
      ) ?? "no room",
    id,
  );

test("of three claims in the same instant one wins, and two are told “taken”", async ({
  context,
}) => {
  const pages = await openVoters(context, 3);
  const id = await addCard(pages[0] as Page, "The last ticket");
  await showCard(pages, "The last ticket");

  const answers = await Promise.all(pages.map((page) => claim(page, id)));

  expect(answers.sort()).toEqual(["taken", "taken", "won"]);
  await agree(pages);
});

test("whoever presses second reads “taken” at that card", async ({ context }) => {
  const pages = await openVoters(context, 3);
  await addCard(pages[0] as Page, "The last ticket");
  await addCard(pages[0] as Page, "Another card");
  await showCard(pages, "The last ticket");

  const press = (page: Page): Promise<void> =>
    page.getByRole("button", { name: "claim “The last ticket”" }).click();
  await Promise.all(pages.map(press));

  const taken = (page: Page) => cardIn(page, "The last ticket").getByText(/^taken/);
  await expect(async () => {
    const losers = await Promise.all(pages.map((page) => taken(page).isVisible()));
    expect(losers.filter((lost) => lost)).toHaveLength(2);
  }).toPass(patient);
  for (const page of pages)
    await expect(cardIn(page, "Another card").getByText(/^taken/)).toHaveCount(0);
});

test("a fight: 100 rounds, 100 winners, 0 double", async ({ context }) => {
  test.slow();
  const pages = await openVoters(context, 3);
  const [starter, ...others] = pages as [Page, ...Page[]];
  await expect(starter.locator("#fight-details")).toContainText("three tabs");

  await starter.getByRole("button", { name: "fight for it" }).click();
  await expect(starter.getByRole("button", { name: "stop the fight" })).toBeVisible();

  for (const page of pages)
    await expect(page.locator("#fight-tally")).toHaveText("100 rounds, 100 winners, 0 double", {
      timeout: 90_000,
    });
  await expect(starter.locator("#fight-verdict")).toContainText("Every card has one owner");
  for (const page of others)
    await expect(page.getByRole("button", { name: "fight for it" })).toBeVisible();
  // Nothing is left of it, and nothing of it was ever drawn.
  for (const page of pages) {
    await page.waitForFunction(
      () => Object.keys(globalThis.room?.committed.cards ?? {}).length === 0,
    );
    await expect(page.locator(".card")).toHaveCount(0);
  }
  await agree(pages);
});

test("a fight goes on over the death of the leader, and still nobody wins twice", async ({
  context,
}) => {
  test.slow();
  const pages = await openVoters(context, 3);
  const { leader, followers } = await leaderOf(pages);
  const [starter] = followers as [Page];
  await starter.getByRole("button", { name: "fight for it" }).click();
  await expect
    .poll(() =>
      starter.locator("#fight-progress").evaluate((bar: HTMLProgressElement) => bar.value),
    )
    .toBeGreaterThan(10);

  await crash(leader);

  await expect(starter.locator("#fight-tally")).toHaveText("100 rounds, 100 winners, 0 double", {
    timeout: 90_000,
  });
});

test("a fight ends at the second press, in whichever tab", async ({ context }) => {
  const pages = await openVoters(context, 3);
  const [starter, other] = pages as [Page, Page, Page];
  await starter.getByRole("button", { name: "fight for it" }).click();
  await expect(other.locator("#fight-tally")).toContainText("round", patient);

  await other.getByRole("button", { name: "stop the fight" }).click();

  await expect(starter.getByRole("button", { name: "fight for it" })).toBeVisible(patient);
  await expect(starter.locator("#fight-verdict")).toHaveText("Stopped.");
  await expect(starter.locator("#fight-tally")).toContainText("0 double");
});

test("the referee sees a double when there is one", async ({ context }) => {
  const [starter, liar] = (await openVoters(context, 3)) as [Page, Page, Page];
  // A tab that says it won, whatever it was told: the counters come from what tabs say, not from what is hoped.
  await liar.evaluate(() => {
    const post = BroadcastChannel.prototype.postMessage;
    BroadcastChannel.prototype.postMessage = function (message) {
      const lie = message?.type === "told" ? { ...message, told: "won" } : message;
      post.call(this, lie);
    };
  });
  await starter.getByRole("button", { name: "fight for it" }).click();
  await expect(starter.locator("#fight-tally")).toContainText(/[1-9]\d* double/, patient);
  await starter.getByRole("button", { name: "stop the fight" }).click();
});
