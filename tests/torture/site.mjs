/** A site of this checkout's files, with a first page of one's own, and a browser to open it in. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { WebSocketServer } from "ws";
import { launchOptions } from "../../.ci/chromium.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const types = { ".js": "text/javascript", ".mjs": "text/javascript" };

/** For pages that import from dist. */
export const importMap =
  '<script type="importmap">{"imports":{"idb":"/node_modules/idb/build/index.js"}}</script>';

/** @typedef {{ url: string, listen(hear: (line: string) => void): void, close(): void }} Site */

/** @param {string} html @returns {Promise<Site>} */
export async function serveSite(html) {
  /** @type {(line: string) => void} */
  let listener = () => {};
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (path === "/") {
      response.setHeader("content-type", "text/html");
      response.end(html);
      return;
    }
    try {
      const file = join(root, path);
      if (!file.startsWith(root)) throw new Error("outside");
      response.setHeader(
        "content-type",
        types[/** @type {".js"} */ (extname(file))] ?? "text/plain",
      );
      response.end(readFileSync(file));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => {
      for (const line of String(data).split("\n")) listener(line);
    });
  });
  await new Promise((resolve) => server.listen(0, "localhost", () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://localhost:${address.port}/`,
    listen: (hearing) => {
      listener = hearing;
    },
    close() {
      sockets.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * The site, and a Chromium whose profile is on the disk (a private window keeps storage in memory), for as long as `use` takes.
 *
 * @template T
 * @param {string} html
 * @param {(context: import("playwright").BrowserContext, url: string) => Promise<T>} use
 */
export async function inProfile(html, use) {
  const profile = mkdtempSync(join(tmpdir(), "logboom-profile-"));
  const site = await serveSite(html);
  const context = await chromium.launchPersistentContext(profile, launchOptions());
  try {
    return await use(context, site.url);
  } finally {
    await context.close();
    site.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
