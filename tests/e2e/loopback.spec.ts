/** Where WebRTC finds no way, tabs of one profile talk over a sealed BroadcastChannel. */
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, expect, type Page, test } from "@playwright/test";
import { launchOptions } from "../../.ci/chromium.mjs";
import { startDemo } from "./demo-server.mjs";
import { addCard, agree, haveVoters, leaderOf, openTabs, patient, showCard } from "./tabs.js";

/** Three tabs share a board over BroadcastChannel, and survive the loss of the leader. */
async function shareBoard(context: BrowserContext, url: string): Promise<void> {
  const pages = await openTabs(context, 3, url);
  await haveVoters(pages, 3);
  for (const page of pages)
    await expect(async () => {
      const links = await page.evaluate(() =>
        globalThis.room?.peers.filter((peer) => !peer.self).map((peer) => peer.via),
      );
      expect(links).toEqual(["broadcast", "broadcast"]);
    }).toPass(patient);
  await addCard(pages[0] as Page, "Over the channel");
  await showCard(pages, "Over the channel");

  const { leader, followers } = await leaderOf(pages);
  await leader.close();
  await addCard(followers[0] as Page, "After the leader");
  await showCard(followers, "After the leader");
  await agree(followers);
}

/** The browser's own way of having no candidates: relayed ones only, and no TURN server to relay them. Runs in the page. */
function withoutCandidates(): void {
  const Original = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super({ ...configuration, iceServers: [], iceTransportPolicy: "relay" });
    }
  };
}

test("without any candidate, tabs fall back to BroadcastChannel", async ({ context }) => {
  test.slow();
  await context.addInitScript(withoutCandidates);
  await shareBoard(context, "/");
});

test("what goes over BroadcastChannel is sealed", async ({ context }) => {
  test.slow();
  await context.addInitScript(withoutCandidates);
  await context.addInitScript(() => {
    // Everything that the page posts, as text in which any byte string of ASCII can be found.
    const posted: string[] = [];
    Object.assign(globalThis, { posted });
    const readable = (value: unknown): string => {
      if (value instanceof ArrayBuffer) return new TextDecoder("latin1").decode(value);
      if (ArrayBuffer.isView(value)) return new TextDecoder("latin1").decode(value);
      if (typeof value === "object" && value !== null)
        return Object.entries(value)
          .map(([key, part]) => `${key} ${readable(part)}`)
          .join(" ");
      return String(value);
    };
    const post = BroadcastChannel.prototype.postMessage;
    BroadcastChannel.prototype.postMessage = function (message) {
      if (!this.name.startsWith("logboom-demo/")) posted.push(readable(message));
      post.call(this, message);
    };
  });
  const pages = await openTabs(context, 3);
  await haveVoters(pages, 3);
  await addCard(pages[0] as Page, "Buy the ring");
  await showCard(pages, "Buy the ring");
  for (const page of pages) {
    const posted = await page.evaluate(() =>
      (globalThis as unknown as { posted: string[] }).posted.join("\n"),
    );
    expect(posted.length).toBeGreaterThan(1000);
    for (const text of ["Buy the ring", "addCard", "ice-ufrag", "m=application"])
      expect(posted, `"${text}" on a BroadcastChannel`).not.toContain(text);
  }
});

const cannotIsolate = whyNoNamespace();

test("on a machine with loopback only", async () => {
  test.skip(cannotIsolate !== undefined, cannotIsolate);
  test.slow();
  const name = `logboom-${process.pid}`;
  const inside = ["ip", "netns", "exec", name];
  const folder = await mkdtemp(join(tmpdir(), "logboom-loopback-"));
  const wrapper = join(folder, "chromium");
  const { executablePath, ...options } = launchOptions();
  await writeFile(
    wrapper,
    `#!/bin/sh\nexec ${inside.join(" ")} "${executablePath ?? chromium.executablePath()}" "$@"\n`,
  );
  await chmod(wrapper, 0o755);
  execFileSync("ip", ["netns", "add", name]);
  try {
    execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
    const demo = await startDemo(0, inside);
    try {
      const browser = await chromium.launch({ ...options, executablePath: wrapper });
      try {
        await shareBoard(await browser.newContext(), demo.url);
      } finally {
        await browser.close();
      }
    } finally {
      await demo.stop();
    }
  } finally {
    execFileSync("ip", ["netns", "del", name]);
    await rm(folder, { recursive: true, force: true });
  }
});

/** Why this machine cannot make a network namespace; undefined when it can. */
function whyNoNamespace(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  const name = `logboom-try-${process.pid}`;
  try {
    execFileSync("ip", ["netns", "add", name], { stdio: "ignore" });
    execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
    return undefined;
  } catch {
    return "needs root and iproute2, to make a network namespace";
  }
}
