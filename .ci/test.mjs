/**
 * `npm test`: every runner in turn, then the sum of what passed and failed as the last line.
 *
 * Each runner leaves a report; one without a test, one that crashes and one that does not end in time count as a failure.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chooseBrowser } from "./browser.mjs";
import { BuildError, build } from "./build.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const reports = mkdtempSync(join(tmpdir(), "logboom-reports-"));
/** All runners together; whoever runs us gives up after 15 minutes. */
const deadline = Date.now() + 13.5 * 60_000;
/** Playwright and vitest stop what they started, and report, on SIGINT. */
const stoppingMs = 15_000;

/** @typedef {{ passed: number, failed: number }} Count */
/**
 * @typedef {object} Runner
 * @property {string} name
 * @property {string[]} command  a Node program and its arguments
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [report]   the JSON it writes; without one its last line says `N passed, N failed`
 * @property {(report: any) => Count} [count]
 * @property {boolean} [mayBeEmpty]  for data that is not everywhere
 */

const vitest = (/** @type {string} */ project) => ({
  command: [
    "node_modules/vitest/vitest.mjs",
    "run",
    `--project=${project}`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${join(reports, `${project}.json`)}`,
  ],
  report: `${project}.json`,
  count: (/** @type {any} */ report) => ({
    passed: report.numPassedTests,
    failed: report.numFailedTests,
  }),
});

/** @type {Runner[]} */
const runners = [
  {
    name: "types, lint, tidiness",
    command: [".ci/check.mjs", "--report", join(reports, "check.json")],
    report: "check.json",
  },
  { name: "unit tests in Node", ...vitest("node") },
  { name: "unit tests in Chromium", ...vitest("browser") },
  {
    name: "etcd's data-driven files",
    command: [".ci/conformance.mjs"],
    mayBeEmpty: true,
  },
  {
    name: "the story in several tabs",
    command: ["node_modules/@playwright/test/cli.js", "test"],
    env: { LOGBOOM_PLAYWRIGHT_REPORT: join(reports, "playwright.json") },
    report: "playwright.json",
    count: ({ stats }) => ({ passed: stats.expected, failed: stats.unexpected + stats.flaky }),
  },
];

async function main() {
  const browser = await chooseBrowser();
  console.log(`Browser: ${browser.path} (${browser.from})`);
  const sum = { passed: 0, failed: 0 };
  const add = (/** @type {Count} */ count) => {
    sum.passed += count.passed;
    sum.failed += count.failed;
  };
  add(await buildAll());
  for (const runner of runners) add(await run(runner));
  return sum;
}

/** @returns {Promise<Count>} */
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

/** @param {Runner} runner @returns {Promise<Count>} */
async function run(runner) {
  console.log(`\n── ${runner.name}`);
  const { how, lastLine } = await runToEnd(runner);
  const count = runner.report === undefined ? countOfLine(lastLine) : countOfReport(runner);
  if (count === undefined) return failure(runner, `left no report (${how})`);
  const { passed, failed } = count;
  if (how !== "exit code 0" && failed === 0) return { passed, failed: failure(runner, how).failed };
  if (passed + failed === 0 && !runner.mayBeEmpty) return failure(runner, "found no test");
  return count;
}

/** @param {Runner} runner @returns {Count | undefined} */
function countOfReport({ report = "", count = (whole) => whole }) {
  const file = join(reports, report);
  return existsSync(file) ? count(JSON.parse(readFileSync(file, "utf8"))) : undefined;
}

/** @param {string} line @returns {Count | undefined} */
function countOfLine(line) {
  const match = /^(\d+) passed, (\d+) failed$/.exec(line);
  return match === null ? undefined : { passed: Number(match[1]), failed: Number(match[2]) };
}

/** @param {Runner} runner @param {string} what @returns {Count} */
function failure(runner, what) {
  console.log(`FAILED ${runner.name}: ${what}`);
  return { passed: 0, failed: 1 };
}

/** @type {(() => void) | undefined} */
let stopCurrent;

/**
 * In a process group of its own, so that what it starts ends with it.
 * @param {Runner} runner
 * @returns {Promise<{ how: string, lastLine: string }>}
 */
function runToEnd({ command, env, report }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", report === undefined ? "pipe" : "inherit", "inherit"],
      detached: process.platform !== "win32",
    });
    let output = "";
    child.stdout?.on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    stopCurrent = () => signalGroup(child, "SIGINT");
    const left = deadline - Date.now();
    const timers = [
      setTimeout(() => signalGroup(child, "SIGINT"), left),
      setTimeout(() => signalGroup(child, "SIGKILL"), left + stoppingMs),
    ];
    child.on("close", (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      const late = Date.now() >= deadline ? "out of time, " : "";
      const how = late + (code === null ? `ended by ${signal}` : `exit code ${code}`);
      resolve({ how, lastLine: output.trimEnd().split("\n").at(-1) ?? "" });
    });
  });
}

/** @param {import("node:child_process").ChildProcess} child @param {NodeJS.Signals} signal */
function signalGroup(child, signal) {
  if (child.pid === undefined || child.exitCode !== null) return;
  if (process.platform === "win32") child.kill();
  else process.kill(-child.pid, signal);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"]) {
  process.once(signal, () => {
    stopCurrent?.();
    process.exit(1);
  });
}

try {
  const { passed, failed } = await main();
  if (failed > 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
  console.log("\n0 passed, 1 failed");
} finally {
  rmSync(reports, { recursive: true });
}
process.disconnect?.();
