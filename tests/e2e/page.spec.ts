/** The page itself: keyboard, narrow screens, the invite, the device's name. */
import { expect, type Page, test } from "@playwright/test";
import { addCard, cardIn, openTab, roomOpen, showCard, writable } from "./tabs.js";

/** The accessible name of what has the focus. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("aria-label") ?? element?.textContent?.trim() ?? "";
  });

test("every action is reached by keyboard, and the focus is never lost", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await page.getByLabel("Title of a new card").focus();
  for (const title of ["First", "Second"]) {
    await page.keyboard.type(title);
    await page.keyboard.press("Enter");
    await showCard([page], title);
  }

  await cardIn(page, "First").getByRole("button", { name: "doing" }).focus();
  await page.keyboard.press("Enter");
  await showCard([page], "First", "doing");
  await expect.poll(() => focused(page)).toContain("“First”");

  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("claim “First”");
  await page.keyboard.press("Space");
  await expect(cardIn(page, "First", "doing")).toContainText("claimed by this browser");
  expect(await focused(page)).toBe("claim “First”");

  await cardIn(page, "First", "doing").getByRole("button", { name: "remove" }).focus();
  await page.keyboard.press("Enter");
  await expect(cardIn(page, "First", "doing")).toHaveCount(0);
  await expect.poll(() => focused(page)).toContain("doing");
});

test("what has the focus is outlined", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await addCard(page, "A card");
  await showCard([page], "A card");
  for (let presses = 0; presses < 15; presses++) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => {
      const element = document.activeElement;
      return element === null || element === document.body
        ? "none needed"
        : getComputedStyle(element).outlineStyle;
    });
    expect(outline).not.toBe("none");
  }
});

for (const width of [320, 600, 1280])
  for (const colorScheme of ["light", "dark"] as const)
    test(`nothing is cut off at ${width} px, ${colorScheme}`, async ({ browser, baseURL }) => {
      const context = await browser.newContext({
        viewport: { width, height: 800 },
        colorScheme,
        baseURL: baseURL as string,
      });
      const page = await openTab(context);
      await writable(page);
      await addCard(page, "W".repeat(200));
      await addCard(page, "Another", "doing");
      await showCard([page], "W".repeat(200));
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(wider).toBe(0);
      const outside = await page.evaluate(() =>
        [...document.querySelectorAll("button, input, select, a, .card-title")]
          .filter((element) => {
            const { left, right, width } = element.getBoundingClientRect();
            return width > 0 && (left < 0 || right > innerWidth);
          })
          .map((element) => element.outerHTML.slice(0, 80)),
      );
      expect(outside).toEqual([]);
      await context.close();
    });

test("the invite is copied, and the page says so", async ({ context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await openTab(context);
  await writable(page);
  await page.getByRole("button", { name: "copy" }).click();
  await expect(page.locator("#copy-outcome")).toContainText("Copied");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await page.locator("#invite").inputValue());
});

test("where copying is not allowed, the invite is selected instead", async ({ context }) => {
  await context.addInitScript(() => {
    Object.defineProperty(navigator, "clipboard", { value: undefined });
  });
  const page = await openTab(context);
  await writable(page);
  await page.getByRole("button", { name: "copy" }).click();
  await expect(page.locator("#copy-outcome")).toContainText("press Ctrl+C");
  const selected = await page.evaluate(() => {
    const input = document.activeElement as HTMLInputElement;
    return input.value.slice(input.selectionStart ?? 0, input.selectionEnd ?? 0);
  });
  expect(selected).toBe(await page.locator("#invite").inputValue());
});

test("a device's name is kept and used at the next opening", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await page.getByLabel("How others see it").fill("Kitchen tablet");
  await page.getByRole("button", { name: "keep" }).click();
  await expect(page.locator("#name-outcome")).toContainText("Kept");
  await page.reload();
  await roomOpen(page);
  await expect(page.locator(".peer.self .peer-name")).toHaveText("Kitchen tablet");
  await expect(page.getByLabel("How others see it")).toHaveValue("Kitchen tablet");
});

test("an empty title is not sent, and the page says why", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await page.getByLabel("Title of a new card").fill("   ");
  await page.getByRole("button", { name: "add" }).click();
  await expect(page.locator("#outcome")).toHaveText("A card needs a title");
  await expect(page.locator(".card")).toHaveCount(0);
});
