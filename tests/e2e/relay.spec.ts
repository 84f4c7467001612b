/** What the relay sees, and what happens without it. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { expect, type Page, test } from "@playwright/test";
import { WebSocket } from "ws";
import { startDemo } from "./demo-server.mjs";
import {
  addCard,
  agree,
  haveVoters,
  openTab,
  openTabs,
  patient,
  showCard,
  writable,
} from "./tabs.js";

/** Collects the payload of every WebSocket frame of a tab, both ways, from before its first request. */
function tap(page: Page): Buffer[] {
  const frames: Buffer[] = [];
  const keep = ({ payload }: { payload: string | Buffer }): void => {
    frames.push(Buffer.from(payload));
  };
  page.on("websocket", (socket) => {
    socket.on("framesent", keep);
    socket.on("framereceived", keep);
  });
  return frames;
}

/** Whether `text` is in the bytes as it is, in UTF-16, or in Base64 at any of its three offsets. */
function contains(bytes: Buffer, text: string): boolean {
  const plain = Buffer.from(text);
  // Characters at the ends depend on what stands next to the text; those between do not.
  const base64 = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), plain])
      .toString("base64")
      .slice(4, -4),
  );
  const forms = [plain, Buffer.from(text, "utf16le"), ...base64.map((form) => Buffer.from(form))];
  return forms.some((form) => bytes.includes(form));
}

test("a text is found in every form it could leak in", () => {
  const text = "a=candidate:1 1 udp";
  for (const lead of ["", "x", "xy"]) {
    const leaks = [
      Buffer.from(lead + text),
      Buffer.from(lead + text, "utf16le"),
      Buffer.from(Buffer.from(`${lead}${text}more`).toString("base64")),
    ];
    for (const leak of leaks) expect(contains(leak, text)).toBe(true);
  }
  expect(contains(randomBytes(4096), text)).toBe(false);
});

test("the relay carries signaling of two profiles, and no card and no SDP in the clear", async ({
  context,
  browser,
}) => {
  const host = await context.newPage();
  const elsewhere = await browser.newContext();
  const guest = await elsewhere.newPage();
  const taps = [tap(host), tap(guest)];
  const secret = "Buy the ring before Saturday";

  await host.goto("/");
  await writable(host);
  await addCard(host, `${secret} 1`);
  const invite = await host.getByLabel("Whoever opens this link is in").inputValue();
  await guest.goto(invite);
  await showCard([guest], `${secret} 1`);
  await addCard(guest, `${secret} 2`);
  await showCard([host], `${secret} 2`);
  const links = await guest.evaluate(() =>
    globalThis.room?.peers.filter((peer) => !peer.self).map((peer) => peer.via),
  );
  expect(links).toEqual(["webrtc"]);

  for (const frames of taps) {
    const bytes = Buffer.concat(frames);
    // An offer or an answer alone is some hundreds of bytes: the signaling did come this way.
    expect(bytes.length).toBeGreaterThan(1000);
    for (const text of [
      secret,
      "a=candidate",
      "candidate:",
      "ice-ufrag",
      "ice-pwd",
      "fingerprint",
      "m=application",
      "webrtc-datachannel",
      "addCard",
      "Chromium on Linux",
      new URL(invite).hash.slice(1),
    ])
      expect(contains(bytes, text), `"${text}" in what went through the relay`).toBe(false);
  }
  await elsewhere.close();
});

test("commands do not go through the relay", async ({ context, browser }) => {
  const host = await openTab(context);
  await writable(host);
  const elsewhere = await browser.newContext();
  const guest = await elsewhere.newPage();
  const frames = tap(guest);
  await guest.goto(await host.getByLabel("Whoever opens this link is in").inputValue());
  await writable(guest);
  const before = frames.length;
  for (let number = 0; number < 50; number++) await addCard(guest, `card ${number}`);
  // Signaling may still say a word or two; fifty commands and their replication would say hundreds.
  expect(frames.length - before).toBeLessThan(20);
  await elsewhere.close();
});

test("the relay stops: open tabs go on; it is started again: new tabs join", async ({
  browser,
}) => {
  test.slow();
  let demo = await startDemo();
  const home = await browser.newContext();
  const elsewhere = await browser.newContext();
  try {
    const pages = await openTabs(home, 2, demo.url);
    const invite = await (pages[0] as Page)
      .getByLabel("Whoever opens this link is in")
      .inputValue();
    const guest = await openTab(elsewhere, invite);
    const all = [...pages, guest];
    await haveVoters(all, 3);

    await demo.stop();
    for (const page of all) await expect(page.locator("#note")).toContainText("newcomers", patient);
    await addCard(guest, "Without the relay");
    await showCard(all, "Without the relay");
    await addCard(pages[0] as Page, "And back");
    await showCard(all, "And back");

    demo = await startDemo(demo.port);
    for (const page of all) await expect(page.locator("#note")).toBeHidden(patient);
    const third = await browser.newContext();
    const newcomer = await openTab(third, invite);
    await showCard([newcomer], "Without the relay");
    await addCard(newcomer, "From the newcomer");
    await showCard(all, "From the newcomer");
    await agree([...all, newcomer]);
    await third.close();
  } finally {
    await demo.stop();
    await home.close();
    await elsewhere.close();
  }
});

test("garbage to the relay ends the connection it came on, and nothing else", async ({
  context,
  browser,
  baseURL,
}) => {
  const [host] = (await openTabs(context, 1)) as [Page];
  await writable(host);
  await addCard(host, "Before");
  const url = new URL("/relay", baseURL);
  url.protocol = "ws:";

  const rubbish: (string | Buffer)[] = [
    "",
    "hello",
    Buffer.alloc(0),
    Buffer.from([0]),
    randomBytes(100),
    randomBytes(16 * 1024),
    randomBytes(64 * 1024),
    Buffer.alloc(4096, 0xff),
  ];
  for (const bytes of rubbish) {
    const socket = new WebSocket(url);
    socket.on("error", () => {});
    await once(socket, "open");
    socket.send(bytes);
    await once(socket, "close");
  }

  const elsewhere = await browser.newContext();
  const guest = await openTab(
    elsewhere,
    await host.getByLabel("Whoever opens this link is in").inputValue(),
  );
  await showCard([guest], "Before");
  await elsewhere.close();
});
