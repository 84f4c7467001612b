/**
 * `npm run check`: everything that can be said about the code without running it, a line per step with its time.
 *
 * `--report FILE` writes how many steps passed and failed, for `npm test`.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../", import.meta.url));
const bin = (/** @type {string} */ path) => `node_modules/${path}`;

/** @typedef {{ name: string, commands: string[][], after?: string }} Step */
/** @type {Step[]} the longest first; `after` names a step whose output this one reads */
const steps = [
  { name: "types", commands: [[bin("typescript/bin/tsc"), "-b", "tsconfig.all.json"]] },
  {
    name: "lint and format",
    commands: [
      [bin("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "--diagnostic-level=warn"],
    ],
  },
  {
    name: "layers and tidiness",
    commands: [[bin("vitest/vitest.mjs"), "run", "--project=node", "tests/house/tidy.test.ts"]],
  },
  { name: "dead code", commands: [[bin("knip/bin/knip.js"), "--no-progress"]] },
  {
    name: "package shape",
    commands: [
      [".ci/build.mjs", "code", "worker"],
      [bin("publint/src/cli.js"), "--strict", "--pack", "npm"],
    ],
    after: "types",
  },
];

async function main() {
  const { values } = parseArgs({ options: { report: { type: "string" } } });
  const started = performance.now();
  const results = await runAll(steps, Math.min(2, availableParallelism()));
  const passed = results.filter(Boolean).length;
  const failed = results.length - passed;
  console.log(`${passed} of ${results.length} checks passed in ${seconds(started)}`);
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify({ passed, failed }));
  if (failed > 0) process.exitCode = 1;
}

/**
 * Runs the steps, `width` at a time, each after the one it names.
 * @param {Step[]} all
 * @param {number} width
 * @returns {Promise<boolean[]>}
 */
async function runAll(all, width) {
  const waiting = [...all];
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {boolean[]} */
  const results = [];
  /** @type {Map<string, Promise<void>>} */
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex((step) => step.after === undefined || done.has(step.after));
    const step = running.size < width && next >= 0 ? waiting.splice(next, 1)[0] : undefined;
    if (step === undefined) {
      await Promise.race(running.values());
      continue;
    }
    const run = runStep(step).then((passed) => {
      results.push(passed);
      done.add(step.name);
      running.delete(step.name);
    });
    running.set(step.name, run);
  }
  return results;
}

/** @param {Step} step @returns {Promise<boolean>} whether it passed; its output is shown only when it did not */
async function runStep(step) {
  const started = performance.now();
  let output = "";
  let passed = true;
  for (const command of step.commands) {
    const ended = await runNode(command);
    output += ended.output;
    passed &&= ended.code === 0;
    if (!passed) break;
  }
  console.log(`${passed ? "ok    " : "FAILED"} ${step.name.padEnd(20)} ${seconds(started)}`);
  if (!passed) console.log(output);
  return passed;
}

/** @param {string[]} command @returns {Promise<{ code: number | null, output: string }>} */
function runNode(command) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { cwd: root });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (output += text));
    child.on("close", (code) => resolve({ code, output }));
  });
}

/** @param {number} started */
function seconds(started) {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

await main();
