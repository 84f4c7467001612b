/** A child process writes with group commit and is killed at random; the parent knows what was acknowledged. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chance, createJudge, hear, newLife } from "./judge.mjs";
import { kill, victim } from "./victims.mjs";

const child = fileURLToPath(new URL("./kill-child.mjs", import.meta.url));

/** @param {{ rounds?: string, seed?: string }} options */
export async function run({ rounds = "200", seed = "1" }) {
  const directory = mkdtempSync(join(tmpdir(), "logboom-kill-"));
  const { result, judge } = createJudge();
  const random = chance(Number(seed));
  const begun = performance.now();
  for (let round = 1; round <= Number(rounds) && result.findings.length < 20; round++) {
    judge(round, await oneLife(directory, round, 3 + random() * 60));
  }
  rmSync(directory, { recursive: true, force: true });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const { cases, acked, lost, silent } = result;
  console.log(
    `kill: ${cases} rounds in ${seconds} s, ${acked} entries acknowledged, ${lost} lost, ${silent} alien or wrong`,
  );
  return result;
}

/** @param {string} directory @param {number} round @param {number} ms */
async function oneLife(directory, round, ms) {
  const life = newLife();
  const process = victim(
    spawn(globalThis.process.execPath, [child, directory, String(round)], {
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  process.stderr.on("data", (text) => {
    life.errors += text;
  });
  const ended = new Promise((resolve) => process.once("close", resolve));
  for await (const line of createInterface({ input: process.stdout })) {
    hear(life, line);
    if (line === "ready") setTimeout(() => kill(process), ms);
  }
  await ended;
  return life;
}
