/** Two profiles in a real Chromium that share nothing but a relay: all they know of each other went through it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page, type WebSocket } from "playwright";
import { createServer as createVite, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchOptions } from "../../.ci/chromium.mjs";
import { u53 } from "../../lib/codec/wire.js";
import { identityOf } from "../../lib/security/identity.js";
import { attachRelay, type Relay } from "../../relay/attach.js";
import type { PageFace } from "./page.js";

declare const face: PageFace;

const secret = [...crypto.getRandomValues(new Uint8Array(32))];
const html = `<!doctype html><script type="module" src="/tests/relay/page.ts"></script>`;

let vite: ViteDevServer;
let server: Server;
let relay: Relay;
let browser: Browser;
let origin: string;
/** Every byte that any page sent to a relay or got from one. */
const captured: Buffer[] = [];

beforeAll(async () => {
  vite = await createVite({
    configFile: false,
    appType: "custom",
    logLevel: "error",
    cacheDir: "node_modules/.cache/logboom/vite-relay-test",
    optimizeDeps: {
      noDiscovery: true,
      include: ["simple-peer/simplepeer.min.js", "tweetnacl"],
    },
    server: { middlewareMode: true, hmr: false, ws: false },
  });
  server = createServer((request, response) => {
    if (request.url === "/") response.setHeader("Content-Type", "text/html").end(html);
    else vite.middlewares(request, response);
  });
  relay = attachRelay(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch(launchOptions());
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await vite?.close();
  server?.closeAllConnections();
  server?.close();
});

async function profile(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.on("websocket", (socket: WebSocket) => {
    for (const way of ["framesent", "framereceived"] as const) {
      socket.on(way as "framesent", ({ payload }) => captured.push(Buffer.from(payload)));
    }
  });
  await page.goto(`http://${origin}/`);
  await page.waitForFunction(() => "face" in globalThis);
  return page;
}

const openIn = (page: Page, seed: number): Promise<number> =>
  page.evaluate(([s, url, n]) => face.open(s, url, n), [secret, `ws://${origin}/relay`, seed] as [
    number[],
    string,
    number,
  ]);

const peersOf = (page: Page) => page.evaluate(() => face.peers());
const say = (page: Page, to: number, text: string) =>
  page.evaluate(([id, words]) => face.send(id, words), [to, text] as [number, string]);
const heardBy = (page: Page) => page.evaluate(() => face.received());
const patience = { timeout: 15_000 };

describe("two profiles that share a relay", () => {
  let [a, b] = [undefined, undefined] as unknown as [Page, Page];
  let [idA, idB] = [0, 0];

  test("link by WebRTC", async () => {
    [a, b] = [await profile(), await profile()];
    [idA, idB] = [await openIn(a, 1), await openIn(b, 2)];
    await expect.poll(() => peersOf(a), patience).toEqual([{ id: idB, via: "webrtc" }]);
    await expect.poll(() => peersOf(b), patience).toEqual([{ id: idA, via: "webrtc" }]);
    expect(await say(a, idB, "a card: buy flour")).toBe(true);
    await expect.poll(() => heardBy(b), patience).toEqual(["a card: buy flour"]);
  }, 60_000);

  test("show the relay neither a session description, nor an id, nor a word", async () => {
    const sizes = captured.map((frame) => frame.length);
    expect(Math.max(...sizes)).toBeGreaterThan(400); // an offer went through
    expect(relay.stats.forwarded).toBeGreaterThan(3);
    const all = Buffer.concat(captured);
    const [one, two] = await Promise.all(
      [1, 2].map((seed) =>
        identityOf(new Uint8Array(32).fill(seed), new Uint8Array(16).fill(seed)),
      ),
    );
    const clear: readonly (string | Uint8Array)[] = [
      "v=0\r\n",
      "a=ice",
      "fingerprint",
      "candidate",
      "ice-ufrag",
      "flour",
      String(idA),
      String(idB),
      u53(idA),
      u53(idB),
      one?.publicKey ?? "",
      two?.publicKey ?? "",
      Uint8Array.from(secret),
    ];
    for (const words of clear) {
      expect(all.indexOf(Buffer.from(words as string)), String(words)).toBe(-1);
    }
  });

  test("go on without it, and meet newcomers when it is back", async () => {
    await relay.close();
    await expect.poll(() => a.evaluate(() => face.relayStatus()), patience).toBe("connecting");
    expect(await say(b, idA, "still here")).toBe(true);
    await expect.poll(() => heardBy(a), patience).toEqual(["still here"]);
    relay = attachRelay(server);
    const c = await profile();
    const idC = await openIn(c, 3);
    for (const page of [a, b]) {
      await expect
        .poll(async () => (await peersOf(page)).map(({ id }) => id).includes(idC), patience)
        .toBe(true);
    }
    expect(await say(c, idA, "hello from c")).toBe(true);
    await expect.poll(() => heardBy(a), patience).toContain("hello from c");
  }, 60_000);

  test("see a closed page's link go down", async () => {
    await a.close();
    await expect
      .poll(async () => (await peersOf(b)).some(({ id }) => id === idA), patience)
      .toBe(false);
  }, 60_000);
});
