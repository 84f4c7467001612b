/**
 * One runner of `npm test`: a program that runs tests and says how many passed and failed.
 *
 * One without a test, one that crashes, leaves no report or does not end in time counts as a failure, so that the sum cannot
 * look better than what was run.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Between asking a runner that is overdue to stop and report (as Playwright and vitest do on SIGINT), and killing it. */
const stoppingMs = 15_000;

/** @typedef {{ passed: number, failed: number }} Count */
/**
 * @typedef {object} Runner
 * @property {string} name
 * @property {string[]} command  a Node program and its arguments
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [report]   the JSON file it writes; without one its last line says `N passed, N failed`
 * @property {(report: any) => Count} [count]  how to read that; by default it is a Count
 * @property {boolean} [mayBeEmpty]  for tests whose data is not everywhere
 */

/** @type {(() => void) | undefined} */
let stopCurrent;

/** Asks the runner that is running, if any, to stop. */
export function stopRunning() {
  stopCurrent?.();
}

/**
 * Runs it to its end, with its output on ours.
 * @param {Runner} runner
 * @param {number} deadline  in milliseconds since 1970
 * @returns {Promise<Count>}
 */
export async function run(runner, deadline) {
  console.log(`\n── ${runner.name}`);
  const { how, lastLine } = await runToEnd(runner, deadline);
  const count = runner.report === undefined ? countOfLine(lastLine) : countOfReport(runner);
  if (count === undefined) return failure(runner, `left no report (${how})`);
  const { passed, failed } = count;
  if (how !== "exit code 0" && failed === 0) return { passed, failed: failure(runner, how).failed };
  if (passed + failed === 0 && !runner.mayBeEmpty) return failure(runner, "found no test");
  return { passed, failed };
}

/** @param {Runner} runner @returns {Count | undefined} */
function countOfReport({ report = "", count = (whole) => whole }) {
  return existsSync(report) ? count(JSON.parse(readFileSync(report, "utf8"))) : undefined;
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

/**
 * In a process group of its own, so that what it starts ends with it.
 * @param {Runner} runner
 * @param {number} deadline
 * @returns {Promise<{ how: string, lastLine: string }>}
 */
function runToEnd({ command, env, report }, deadline) {
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
      stopCurrent = undefined;
      const late = Date.now() >= deadline ? "out of time, " : "";
      const how = late + (code === null ? `ended by ${signal}` : `exit code ${code}`);
      resolve({ how, lastLine: output.trimEnd().split("\n").at(-1) ?? "" });
    });
  });
}

/** @param {import("node:child_process").ChildProcess} child @param {NodeJS.Signals} signal */
function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  if (process.platform === "win32") child.kill();
  else {
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error; // it has just ended
    }
  }
}
