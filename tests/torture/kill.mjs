/** A child process writes with group commit and is killed at random; the parent knows what was acknowledged. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("./kill-child.mjs", import.meta.url));

/** @param {{ rounds?: string, seed?: string }} options */
export async function run({ rounds = "200", seed = "1" }) {
  const directory = mkdtempSync(join(tmpdir(), "logboom-kill-"));
  const result = {
    cases: 0,
    acked: 0,
    lost: 0,
    silent: 0,
    wiped: 0,
    findings: /** @type {string[]} */ ([]),
  };
  /** Index → round of every entry acknowledged. @type {Map<number, number>} */
  const acknowledged = new Map();
  let boot = 0;
  let chance = Number(seed) >>> 0;
  const random = () => {
    chance = (Math.imul(chance, 1664525) + 1013904223) >>> 0;
    return chance / 2 ** 32;
  };
  const begun = performance.now();
  for (let round = 1; round <= Number(rounds); round++) {
    const life = await oneLife(directory, round, 5 + random() * 60);
    judge(round, life);
    for (const [index, by] of life.acked) acknowledged.set(index, by);
    result.cases++;
    result.acked += life.acked.length;
    if (result.findings.length > 20) break;
  }
  rmSync(directory, { recursive: true, force: true });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(
    `kill: ${result.cases} rounds in ${seconds} s, ${result.acked} entries acknowledged, ${result.lost} lost, ${result.silent} alien or wrong`,
  );
  return result;

  /** @param {number} round @param {Life} life */
  function judge(round, life) {
    /** @param {"lost" | "silent"} kind @param {string} what */
    const found = (kind, what) => {
      result[kind]++;
      result.findings.push(`round ${round}: ${kind}: ${what}`);
    };
    if (life.opened === undefined) {
      found("lost", `the store did not open: ${life.errors}`);
      return;
    }
    const [bootNow = 0, , compacted = 0, last = 0] = life.opened;
    if (bootNow !== boot + 1) found("silent", `boot ${bootNow} after ${boot}`);
    boot = bootNow;
    const held = new Map(life.has);
    for (let index = compacted + 1; index <= last; index++) {
      const by = held.get(index);
      if (by === undefined) found("silent", `no entry ${index} between ${compacted} and ${last}`);
      else if (by < 1 || by >= round) found("silent", `entry ${index} says round ${by}`);
    }
    for (const [index, by] of acknowledged) {
      if (index <= compacted) acknowledged.delete(index);
      else if (held.get(index) !== by)
        found("lost", `entry ${index} of round ${by}: ${held.get(index)}`);
    }
    if (life.errors !== "") found("silent", life.errors);
  }
}

/**
 * @typedef {object} Life
 * @property {number[] | undefined} opened  boot, term, compacted, last
 * @property {[number, number][]} has
 * @property {[number, number][]} acked
 * @property {string} errors
 */

/**
 * @param {string} directory @param {number} round @param {number} ms
 * @returns {Promise<Life>}
 */
async function oneLife(directory, round, ms) {
  /** @type {Life} */
  const life = { opened: undefined, has: [], acked: [], errors: "" };
  const process = spawn(globalThis.process.execPath, [child, directory, String(round)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.stderr.on("data", (text) => {
    life.errors += text;
  });
  const ended = new Promise((resolve) => process.once("close", resolve));
  for await (const line of createInterface({ input: process.stdout })) {
    const [kind, ...rest] = line.split(" ");
    const numbers = rest.map(Number);
    const pair = /** @type {[number, number]} */ ([numbers[0] ?? 0, numbers[1] ?? 0]);
    if (kind === "open") life.opened = numbers;
    else if (kind === "has") life.has.push(pair);
    else if (kind === "ack" && numbers.length === 2) life.acked.push(pair);
    else if (kind === "ready") setTimeout(() => process.kill("SIGKILL"), ms);
  }
  await ended;
  return life;
}
