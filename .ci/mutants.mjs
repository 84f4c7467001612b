#!/usr/bin/env node
/**
 * Mutants: `npm run mutants [-- ID …]` plants each bug of tests/sim/mutants.mjs in a copy of the code and looks who finds it.
 *
 * Prints a line for each (mutant, seeds needed, killed by), then the entries without counterpart; the last line is `N killed, N survived`. A
 * change whose text is no longer in the code, or is there twice, is an error. One at a time, and each within a bounded time.
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { mutants, withoutCounterpart } from "../tests/sim/mutants.mjs";
import { build } from "./build.mjs";

/** @typedef {import("../tests/sim/mutants.mjs").Mutant} Mutant */

const root = fileURLToPath(new URL("..", import.meta.url));
const copies = join(root, "node_modules/.cache/logboom/mutants");
const limitMs = 240_000;
/** The simulator is given time for all its seeds: one that it does not find must not look like one that hangs. */
const simLimitMs = 1_200_000;
/** Seeds within which the simulator must find one. */
const seedsMax = 2_000;

async function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((id) => !mutants.some((mutant) => mutant.id === id));
  if (unknown.length > 0) throw new Error(`no mutant is called ${unknown.join(", ")}`);
  for (const mutant of mutants) mutated(mutant);
  await build(["code"]);
  const count = { killed: 0, survived: 0 };
  console.log(line("", "mutant", "seeds", "killed by"));
  for (const mutant of mutants) {
    if (wanted.length > 0 && !wanted.includes(mutant.id)) continue;
    const kill = await hunt(mutant);
    count[kill === undefined ? "survived" : "killed"]++;
    console.log(line(mutant.id, mutant.what, kill?.seeds ?? "", kill?.killer ?? "SURVIVED"));
  }
  if (wanted.length === 0) {
    for (const [entry, reason] of Object.entries(withoutCounterpart))
      console.log(`${entry}: no counterpart: ${reason}`);
  }
  console.log(`${count.killed} killed, ${count.survived} survived`);
  if (count.survived > 0) process.exitCode = 1;
}

/** @param {string} id @param {string} what @param {string} seeds @param {string} killer */
function line(id, what, seeds, killer) {
  return `${id.padEnd(4)} ${what.padEnd(84)} ${seeds.padStart(5)}  ${killer}`;
}

/**
 * The files that a mutant changes, with the bug in them.
 *
 * @param {Mutant} mutant @returns {Map<string, string>}
 */
export function mutated({ id, file, find, replace, also = [] }) {
  /** @type {Map<string, string>} */
  const texts = new Map();
  for (const change of [{ file, find, replace }, ...also]) {
    const source = texts.get(change.file) ?? readFileSync(join(root, change.file), "utf8");
    const places = change.find === "" ? 0 : source.split(change.find).length - 1;
    if (places !== 1) {
      throw new Error(
        `mutant ${id} no longer applies: its text is in ${change.file} ${places} times: ${change.find}`,
      );
    }
    texts.set(
      change.file,
      source.replace(change.find, () => change.replace),
    );
  }
  return texts;
}

/** Makes `copy` the compiled code with the bug in it. @param {Mutant} mutant @param {string} copy */
export function plant(mutant, copy) {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  const isCode = (/** @type {string} */ from) => !/\.(d\.ts|map|tsbuildinfo)$/.test(from);
  cpSync(join(root, "dist"), copy, { recursive: true, filter: isCode });
  for (const [file, text] of mutated(mutant)) {
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ES2022,
        verbatimModuleSyntax: true,
      },
    });
    writeFileSync(join(copy, file.replace(/^lib\//, "").replace(/\.ts$/, ".js")), outputText);
  }
}

/** Who found it, and after how many seeds, where seeds were needed. @typedef {{ killer: string, seeds: string }} Kill */

/** @param {Mutant} mutant @returns {Promise<Kill | undefined>} */
async function hunt(mutant) {
  if (Array.isArray(mutant.by)) return await huntByTest(mutant, mutant.by);
  const copy = join(copies, mutant.id);
  plant(mutant, copy);
  const args = ["tests/sim/hunt.mjs", mutant.by, copy, String(seedsMax)];
  const { code, output } = await run(args, {}, mutant.by === "sim" ? simLimitMs : limitMs);
  rmSync(copy, { recursive: true });
  if (code === null) return { killer: `${mutant.by}: it never ends`, seeds: "" };
  const found = /^KILLED (.*)\t(\d*)$/m.exec(output);
  return found === null
    ? undefined
    : { killer: `${mutant.by}: ${found[1]}`, seeds: found[2] ?? "" };
}

/** @param {Mutant} mutant @param {[string, string]} by @returns {Promise<Kill | undefined>} */
async function huntByTest(mutant, [file, name]) {
  mkdirSync(copies, { recursive: true });
  const planted = join(copies, `${mutant.id}.json`);
  const report = join(copies, `${mutant.id}.report.json`);
  rmSync(report, { force: true });
  const files = [...mutated(mutant)].map(([path, text]) => ({ file: join(root, path), text }));
  writeFileSync(planted, JSON.stringify(files));
  const only = name === "" ? [] : ["-t", name];
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--config",
    "tests/sim/mutant.config.mjs",
    "--bail",
    "1",
    "--reporter",
    "json",
    "--outputFile",
    report,
    ...only,
    file,
  ];
  const { code } = await run(args, { LOGBOOM_MUTANT: planted });
  if (code === 0) return undefined;
  if (!existsSync(report)) {
    return code === null ? { killer: `${file}: it never ends`, seeds: "" } : undefined;
  }
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  for (const { name: where, assertionResults } of testResults) {
    const failed = assertionResults.find((/** @type {any} */ { status }) => status === "failed");
    if (failed !== undefined) {
      return { killer: `${where.slice(root.length)}: ${failed.fullName}`, seeds: "" };
    }
  }
  return undefined;
}

/**
 * @param {string[]} args @param {Record<string, string>} env @param {number} [timeout]
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function run(args, env, timeout = limitMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
      timeout,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.on("close", (code) => resolve({ code, output }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exitCode = 2;
  }
}
