/** Bad input, bad links, browsers that lack something: a clear answer, and nothing dies of it. */
import { chromium, expect, type Page, test } from "@playwright/test";
import { launchArgs, launchOptions } from "../../.ci/chromium.mjs";
import { addCard, agree, cardIn, openTab, openTabs, patient, showCard, writable } from "./tabs.js";

/** Runs a command with any input, and says what the caller was told. */
const told = (page: Page, command: string, input: unknown): Promise<string> =>
  page.evaluate(
    async ([command, input]) => {
      const commands = globalThis.room?.do as unknown as Record<
        string,
        (input: unknown) => Promise<unknown>
      >;
      try {
        return `resolved: ${JSON.stringify(await commands[command]?.(input))}`;
      } catch (error) {
        const { code, reason } = error as { code?: string; reason?: string };
        return reason === undefined ? String(code) : `${code}: ${reason}`;
      }
    },
    [command, input] as const,
  );

test("ids that are names of Object.prototype are unknown ids", async ({ context }) => {
  const pages = await openTabs(context, 2);
  const [page] = pages as [Page, Page];
  await writable(page);
  for (const id of ["__proto__", "constructor", "toString", "hasOwnProperty", "", "no such"])
    for (const [command, more] of [
      ["claimCard", {}],
      ["removeCard", {}],
      ["moveCard", { column: "done" }],
    ] as const)
      expect(await told(page, command, { id, ...more }), `${command} of "${id}"`).toBe(
        "REJECTED: no-such-card",
      );
  for (const each of pages)
    expect(
      await each.evaluate(() => {
        const plain: Record<string, unknown> = {};
        return [plain["owner"], plain["column"], Object.keys(Object.prototype).length];
      }),
    ).toEqual([undefined, undefined, 0]);
  await addCard(page, "Still works");
  await showCard(pages, "Still works");
});

test("input that the schemas refuse is refused at once, with the rule", async ({ context }) => {
  const page = await openTab(context);
  await writable(page);
  await addCard(page, "After the leader's own first entry");
  const commit = await page.evaluate(() => globalThis.room?.status.commit);
  const cases: [string, unknown][] = [
    ["addCard", undefined],
    ["addCard", null],
    ["addCard", { title: "", column: "todo" }],
    ["addCard", { title: "   ", column: "todo" }],
    ["addCard", { title: "x".repeat(201), column: "todo" }],
    ["addCard", { title: "x", column: "nowhere" }],
    ["addCard", { title: { toString: "x" }, column: "todo" }],
    ["moveCard", { id: "x", column: "__proto__" }],
    ["claimCard", { id: 7 }],
    ["claimCard", {}],
    ["removeCard", { id: "x".repeat(1000) }],
  ];
  for (const [command, input] of cases)
    expect(await told(page, command, input), `${command}(${JSON.stringify(input)})`).toBe(
      "BAD_INPUT",
    );
  expect(await page.evaluate(() => globalThis.room?.status.commit)).toBe(commit);
  expect(await told(page, "addCard", { title: "x".repeat(200), column: "todo" })).toMatch(
    /^resolved/,
  );
});

test("titles are text, whatever they look like", async ({ context }) => {
  const pages = await openTabs(context, 2);
  const [a, b] = pages as [Page, Page];
  const dialogs: string[] = [];
  for (const page of pages) page.on("dialog", (dialog) => dialogs.push(dialog.message()));
  await writable(a);
  const titles = [
    '<img src=x onerror="alert(1)">',
    "<script>alert(2)</script>",
    "</p><h1>big</h1>",
    "&lt;b&gt; {{x}}",
    "\u202Eesrever",
    "اشترِ الحليب",
    "👩‍🚀 launch",
  ];
  for (const title of titles) await addCard(a, title);
  await expect(b.locator(".card")).toHaveCount(titles.length);
  expect(await b.locator(".card-title").allTextContents()).toEqual(titles);
  expect(await b.locator(".card img, .card script, .card h1, .card b").count()).toBe(0);
  // Said aloud, and in the names of buttons, they are text as well.
  await cardIn(b, "onerror").getByRole("button", { name: "claim" }).click();
  await expect(b.locator("#outcome")).toHaveText(`Claimed “${titles[0]}”`);
  expect(await b.locator("#outcome img").count()).toBe(0);
  expect(dialogs).toEqual([]);
  await agree(pages);
});

test("an invite that was cut off is one clear sentence, and nothing is founded by it", async ({
  context,
  browser,
}) => {
  const host = await openTab(context);
  await writable(host);
  const invite = await host.getByLabel("Whoever opens this link is in").inputValue();
  const elsewhere = await browser.newContext();
  const page = await elsewhere.newPage();
  for (const broken of [invite.slice(0, -8), `${invite}AAAA`, flipped(invite)]) {
    await page.goto("about:blank");
    await page.goto(broken);
    await expect(page.locator("#problem-sentence")).toContainText(
      "This invite link is incomplete or was changed",
      patient,
    );
    expect(await page.evaluate(() => globalThis.room)).toBeUndefined();
    await expect(page.locator("#board")).toBeHidden();
  }
  await page.getByRole("link", { name: "Open this browser's own board" }).click();
  await writable(page);
  await elsewhere.close();
});

/** The same link with one character in the middle of its fragment changed. */
function flipped(invite: string): string {
  const at = Math.floor((invite.indexOf("#") + invite.length) / 2);
  const other = invite[at] === "A" ? "B" : "A";
  return invite.slice(0, at) + other + invite.slice(at + 1);
}

const lacking: [string, () => void, string][] = [
  [
    "WebRTC",
    () => {
      Reflect.deleteProperty(globalThis, "RTCPeerConnection");
      Reflect.deleteProperty(globalThis, "webkitRTCPeerConnection");
    },
    "This browser has no WebRTC",
  ],
  [
    "IndexedDB",
    () => Object.defineProperty(globalThis, "indexedDB", { value: undefined }),
    "This browser gives the page no IndexedDB",
  ],
];

for (const [name, take, sentence] of lacking)
  test(`a browser without ${name} gets a sentence that says so`, async ({ page }) => {
    await page.addInitScript(take);
    await page.goto("/");
    await expect(page.locator("#problem-sentence")).toContainText(sentence, patient);
    await expect(page.locator("#board")).toBeHidden();
  });

test("a page that came over plain http from elsewhere gets a sentence that says so", async ({
  baseURL,
}) => {
  const elsewhere = new URL(baseURL as string);
  elsewhere.hostname = "board.example";
  const browser = await chromium.launch({
    ...launchOptions(),
    args: [...launchArgs, "--host-resolver-rules=MAP board.example 127.0.0.1"],
  });
  const page = await browser.newPage();
  await page.goto(elsewhere.href);
  await expect(page.locator("#problem-sentence")).toContainText(
    "must come over https or from localhost",
    patient,
  );
  await browser.close();
});

test("the page keeps its own policy: nothing inline runs, nothing else is asked", async ({
  page,
  baseURL,
}) => {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto("/");
  await writable(page);
  await addCard(page, "A card");
  await showCard([page], "A card");
  expect(complaints).toEqual([]);
  const { host } = new URL(baseURL as string);
  expect(asked.filter((url) => !url.startsWith("blob:") && new URL(url).host !== host)).toEqual([]);
});
