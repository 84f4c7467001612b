/**
 * Which browser the tests run in, and how it is launched: shared by vitest, Playwright and `npm test`.
 *
 * Order: `LOGBOOM_CHROMIUM`, the known places of Chrome, Edge and Chromium, Playwright's own download. Installing one is
 * `npm test`'s (browser.mjs).
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";

/** With none of these does WebRTC need help; they keep a browser of the tests from talking to anybody else. */
export const launchArgs = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @typedef {{ path: string, from: string }} Browser */

/**
 * The browsers that are there, the preferred first. The one named by LOGBOOM_CHROMIUM is the only one then.
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} platform
 * @param {(path: string) => boolean} exists
 * @returns {Browser[]}
 */
export function candidates(env = process.env, platform = process.platform, exists = existsSync) {
  const named = env["LOGBOOM_CHROMIUM"];
  if (named !== undefined && named !== "") {
    if (exists(named)) return [{ path: named, from: "LOGBOOM_CHROMIUM" }];
    throw new Error(`LOGBOOM_CHROMIUM names a file that does not exist: ${named}`);
  }
  const installed = knownPlaces(platform, env).map((path) => ({ path, from: "installed here" }));
  const downloaded = { path: chromium.executablePath(), from: "downloaded by Playwright" };
  return [...installed, downloaded].filter(({ path }) => exists(path));
}

/** What Playwright's `launch` and `launchPersistentContext` are given, wherever a test starts a browser. */
export function launchOptions() {
  const [browser] = candidates();
  return {
    args: launchArgs,
    chromiumSandbox: false,
    headless: true,
    ...(browser === undefined ? {} : { executablePath: browser.path }),
  };
}

/**
 * @param {NodeJS.Platform} platform
 * @param {NodeJS.ProcessEnv} env
 * @returns {string[]}
 */
function knownPlaces(platform, env) {
  if (platform === "darwin") return applications.flatMap((app) => [app, join(homedir(), app)]);
  if (platform !== "win32") return unixPlaces;
  return ["PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"].flatMap((name) => {
    const root = env[name];
    return root === undefined ? [] : windowsPlaces.map((place) => join(root, place));
  });
}

const applications = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

const unixPlaces = [
  "/usr/bin/google-chrome-stable",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome",
  "/usr/bin/microsoft-edge-stable",
  "/usr/bin/microsoft-edge",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/snap/bin/chromium",
];

const windowsPlaces = [
  "Google\\Chrome\\Application\\chrome.exe",
  "Microsoft\\Edge\\Application\\msedge.exe",
  "Chromium\\Application\\chrome.exe",
];
