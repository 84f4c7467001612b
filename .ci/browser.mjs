/**
 * Finds a browser for the tests that starts, or gets one: what is there (chromium.mjs), then Playwright's download, then
 * Debian's package when we are root. What was chosen is set as LOGBOOM_CHROMIUM, so that every runner takes the same.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "playwright";
import { candidates, launchArgs } from "./chromium.mjs";

/** How long a download may take before the next way is tried. */
const downloadMs = 3 * 60_000;

const advice =
  "No browser for the tests: install Chrome, Edge or Chromium, or name one by LOGBOOM_CHROMIUM=/path/to/chrome.";

/**
 * @returns {Promise<import("./chromium.mjs").Browser>}
 * @throws Error that says what to do
 */
export async function chooseBrowser() {
  for (const browser of candidates()) {
    const problem = await launchProblem(browser.path);
    if (problem === undefined) return chosen(browser);
    if (browser.from === "LOGBOOM_CHROMIUM") {
      throw new Error(`LOGBOOM_CHROMIUM (${browser.path}) does not start: ${problem}`);
    }
    console.log(`Not ${browser.path}, which does not start: ${problem}`);
  }
  for (const obtain of [download, installDebianPackage]) {
    const browser = obtain();
    if (browser !== undefined && (await launchProblem(browser.path)) === undefined)
      return chosen(browser);
  }
  throw new Error(advice);
}

/** @param {import("./chromium.mjs").Browser} browser */
function chosen(browser) {
  process.env["LOGBOOM_CHROMIUM"] = browser.path;
  return browser;
}

/** @param {string} executablePath @returns {Promise<string | undefined>} */
async function launchProblem(executablePath) {
  try {
    const browser = await chromium.launch({
      executablePath,
      args: launchArgs,
      chromiumSandbox: false,
    });
    await browser.close();
    return undefined;
  } catch (error) {
    return `${/** @type {Error} */ (error).message}`.split("\n", 1)[0];
  }
}

function download() {
  console.log("No browser found: downloading one with Playwright …");
  const options = { stdio: /** @type {const} */ ("ignore"), timeout: downloadMs };
  spawnSync(process.execPath, ["node_modules/playwright/cli.js", "install", "chromium"], options);
  const path = chromium.executablePath();
  return existsSync(path) ? { path, from: "downloaded by Playwright" } : undefined;
}

function installDebianPackage() {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return undefined;
  console.log("Installing Debian's chromium …");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (/** @type {string[]} */ ...args) =>
    spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "chromium");
  const path = "/usr/bin/chromium";
  return existsSync(path) ? { path, from: "Debian's package" } : undefined;
}
