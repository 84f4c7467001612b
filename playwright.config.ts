/**
 * The story in several tabs: real Chromium, real WebRTC, the demo as `npm start` serves it.
 *
 * One worker and no retries: the tests share two cores, and one that fails now and then is a bug. Tests that need several
 * profiles open them with `chromium.launchPersistentContext(folder, launchOptions())`.
 */
import { defineConfig } from "@playwright/test";
import { launchOptions } from "./.ci/chromium.mjs";
import { freePort } from "./.ci/free-port.mjs";

// The workers read this file again and must come to the same port.
process.env["LOGBOOM_DEMO_PORT"] ??= `${await freePort()}`;
const port = process.env["LOGBOOM_DEMO_PORT"];
const baseURL = `http://localhost:${port}/`;
const report = process.env["LOGBOOM_PLAYWRIGHT_REPORT"];

export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results",
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: report === undefined ? "list" : [["list"], ["json", { outputFile: report }]],
  use: { baseURL, screenshot: "only-on-failure", launchOptions: launchOptions() },
  webServer: {
    command: `node demo/start.mjs --port ${port}`,
    url: baseURL,
    stdout: "ignore",
    stderr: "pipe",
    gracefulShutdown: { signal: "SIGTERM", timeout: 5000 },
  },
});
