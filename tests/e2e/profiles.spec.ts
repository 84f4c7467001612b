/** Two profiles, which share nothing but an invite: a majority decides. */
import { type BrowserContext, expect, type Page, test } from "@playwright/test";
import {
  addCard,
  agree,
  cardIn,
  crash,
  haveVoters,
  openTab,
  openTabs,
  patient,
  showCard,
  writable,
} from "./tabs.js";

/** What a person would have typed at "This device", and kept. */
async function nameDevice(context: BrowserContext, name: string): Promise<void> {
  await context.addInitScript((name) => localStorage.setItem("logboom-demo/name", name), name);
}

async function inviteOf(page: Page): Promise<string> {
  await writable(page);
  return await page.getByLabel("Whoever opens this link is in").inputValue();
}

test("an invite brings another profile in, and is taken out of the address bar", async ({
  context,
  browser,
}) => {
  const host = await openTab(context);
  await addCard(host, "From the host");
  const invite = await inviteOf(host);
  expect(new URL(invite).hash.length).toBeGreaterThan(40);

  const elsewhere = await browser.newContext();
  await nameDevice(elsewhere, "Ann's phone");
  const guest = await openTab(elsewhere, invite);
  await showCard([guest], "From the host");
  expect(new URL(guest.url()).hash).toBe("");
  await addCard(guest, "From the guest");
  await showCard([host], "From the guest");
  await agree([host, guest]);

  await guest.getByRole("button", { name: "claim “From the guest”" }).click();
  await expect(cardIn(host, "From the guest")).toContainText("claimed by Ann's phone");
  await expect(cardIn(guest, "From the guest")).toContainText("claimed by this browser");

  // From now on that profile knows the room, without any link.
  await guest.goto("/");
  await showCard([guest], "From the guest");
  await elsewhere.close();
});

test("an invited tab that finds nobody says so, shows no board, and joins when somebody comes", async ({
  context,
  browser,
}) => {
  const host = await openTab(context);
  await addCard(host, "Before");
  const invite = await inviteOf(host);
  await host.close();

  const elsewhere = await browser.newContext();
  const guest = await elsewhere.newPage();
  await guest.goto(invite);
  await expect(guest.locator("#sentence")).toContainText("joining: waiting for somebody", patient);
  await expect(guest.locator("#board")).toBeHidden();

  const reopened = await openTab(context);
  await showCard([guest, reopened], "Before");
  await addCard(guest, "After");
  await showCard([reopened], "After");
  await elsewhere.close();
});

test("without a majority the page says whom it waits for; with one again, it writes", async ({
  context,
  browser,
}) => {
  test.slow();
  await nameDevice(context, "Kitchen tablet");
  const tablet = await openTabs(context, 2);
  const elsewhere = await browser.newContext();
  await nameDevice(elsewhere, "Ann's phone");
  const phone = await openTab(elsewhere, await inviteOf(tablet[0] as Page));
  await haveVoters([...tablet, phone], 3);
  await addCard(phone, "Before");
  await showCard(tablet, "Before");

  // Killed rather than closed: no goodbye, so nobody has the time to agree on fewer voters.
  await Promise.all(tablet.map(crash));
  await expect(phone.locator("#sentence")).toHaveText(
    "waiting for two peers of the Kitchen tablet",
    patient,
  );
  await phone.getByLabel("Title of a new card").fill("While alone");
  await phone.getByRole("button", { name: "add" }).click();
  await expect(phone.locator("#outcome")).toHaveText("“While alone” waits for a majority");
  await expect(cardIn(phone, "While alone")).toHaveCount(0);
  for (const page of tablet) await page.close();

  const reopened = await openTab(context);
  await showCard([reopened, phone], "While alone");
  await addCard(reopened, "After");
  await showCard([reopened, phone], "After");
  await agree([reopened, phone]);
  await elsewhere.close();
});

test("while the only voter is away, the other one says whom it waits for", async ({
  context,
  browser,
}) => {
  await nameDevice(context, "Kitchen tablet");
  const tablet = await openTab(context);
  const elsewhere = await browser.newContext();
  const phone = await openTab(elsewhere, await inviteOf(tablet));
  await addCard(phone, "Before");
  await tablet.close();
  await expect(phone.locator("#sentence")).toHaveText(
    "waiting for one peer of the Kitchen tablet",
    patient,
  );
  const pending = addCard(phone, "While alone");
  const reopened = await openTab(context);
  await pending;
  await showCard([reopened, phone], "While alone");
  await elsewhere.close();
});

test("a profile whose storage is wiped stops and says so; the others go on", async ({
  context,
  browser,
}) => {
  const home = await openTabs(context, 2);
  const elsewhere = await browser.newContext();
  const phone = await openTab(elsewhere, await inviteOf(home[0] as Page));
  await haveVoters([...home, phone], 3);
  await addCard(phone, "Before");
  await showCard(home, "Before");

  const session = await elsewhere.newCDPSession(phone);
  const { origin } = new URL(phone.url());
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });

  await expect(phone.locator("#sentence")).toContainText("this tab has stopped for good", patient);
  await addCard(home[0] as Page, "After");
  await showCard(home, "After");
  await elsewhere.close();
});

test("the profile with the majority goes on without the other", async ({ context, browser }) => {
  const home = await openTabs(context, 2);
  const elsewhere = await browser.newContext();
  const phone = await openTab(elsewhere, await inviteOf(home[0] as Page));
  await haveVoters([...home, phone], 3);
  await crash(phone);
  await addCard(home[0] as Page, "Without the phone");
  await showCard(home, "Without the phone");
  await elsewhere.close();
});

test("tabs of two profiles fight, and each card has one owner", async ({ context, browser }) => {
  test.slow();
  const home = await openTabs(context, 2);
  const elsewhere = await browser.newContext();
  const away = await openTab(elsewhere, await inviteOf(home[0] as Page));
  await haveVoters([...home, away], 3);
  await (home[0] as Page).getByRole("button", { name: "fight for it" }).click();
  for (const page of home)
    await expect(page.locator("#fight-tally")).toHaveText("100 rounds, 100 winners, 0 double", {
      timeout: 90_000,
    });
  await elsewhere.close();
});
