/**
 * `npm test`: every runner in turn, then the sum of what passed and failed as the last line.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseBrowser } from "./browser.mjs";
import { BuildError, build } from "./build.mjs";
import { endWithParent } from "./parent.mjs";
import { run, stopRunning } from "./runner.mjs";

/** Whoever runs us gives up after 15 minutes. */
const deadline = Date.now() + 13.5 * 60_000;
const reports = mkdtempSync(join(tmpdir(), "logboom-reports-"));

const vitest = (/** @type {string} */ project) => ({
  command: [
    "node_modules/vitest/vitest.mjs",
    "run",
    `--project=${project}`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${join(reports, `${project}.json`)}`,
  ],
  report: join(reports, `${project}.json`),
  count: (report) => ({ passed: report.numPassedTests, failed: report.numFailedTests }),
});

/** @type {import("./runner.mjs").Runner[]} */
const runners = [
  {
    name: "types, lint, tidiness",
    command: [".ci/check.mjs", "--report", join(reports, "check.json")],
    report: join(reports, "check.json"),
  },
  { name: "unit tests in Node", ...vitest("node") },
  { name: "unit tests in Chromium", ...vitest("browser") },
  { name: "etcd's data-driven files", command: [".ci/conformance.mjs"], mayBeEmpty: true },
  {
    name: "the story in several tabs",
    command: ["node_modules/@playwright/test/cli.js", "test"],
    env: { LOGBOOM_PLAYWRIGHT_REPORT: join(reports, "playwright.json") },
    report: join(reports, "playwright.json"),
    count: ({ stats }) => ({ passed: stats.expected, failed: stats.unexpected + stats.flaky }),
  },
];

async function main() {
  const browser = await chooseBrowser();
  console.log(`Browser: ${browser.path} (${browser.from})`);
  const counts = [await buildAll()];
  for (const runner of runners) counts.push(await run(runner, deadline));
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

async function buildAll() {
  try {
    await build();
    return { passed: 1, failed: 0 };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.log(error.message);
    return { passed: 0, failed: 1 };
  }
}

const letGoOfParent = endWithParent(stopRunning);
try {
  const { passed, failed } = await main();
  if (failed > 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  console.log("\n0 passed, 1 failed");
} finally {
  rmSync(reports, { recursive: true });
}
letGoOfParent(); // the set-up script, which waits for our end
