#!/usr/bin/env node
/**
 * Runs etcd/raft's data-driven files against our core: `npm run conformance [-- [--update] DIR]`.
 *
 * DIR (default: ETCD_RAFT_TESTDATA, else ../shared/etcd-testdata) has the folders interaction, quorum and confchange, any of which
 * may be missing. Prints the first difference of each failing file; the last line is `N passed, N failed`, counted in files.
 * `--update` writes the actual output into the files instead.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BuildError, build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const runner = join(root, "dist/testing/run-script.js");

/** Compiles lib/ to dist/. A type error somewhere does not stop us, since `tsc` writes its output all the same. */
async function compile() {
  try {
    await build(["code"]);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json")]);
    console.error(
      "conformance: the code has type errors (npm run check shows them); running it as it is",
    );
  }
}

/** Where the files are unless DIR says otherwise. */
export function defaultFolder() {
  return resolve(process.env["ETCD_RAFT_TESTDATA"] ?? join(root, "../shared/etcd-testdata"));
}

/** @param {number} passed @param {number} failed @param {number} code */
function finish(passed, failed, code) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = code;
}

/**
 * Every .txt file under `folder`, sorted; none if there is no such folder.
 * @param {string} folder
 */
export function textFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => join(folder, name));
}

/** @param {string} text */
function show(text) {
  return text === "" ? "  (nothing)" : text.replace(/\n$/, "").replace(/^/gm, "  ");
}

async function main() {
  const args = process.argv.slice(2);
  const update = args.includes("--update");
  const given = args.filter((arg) => !arg.startsWith("--"));
  const unknown = args.filter((arg) => arg.startsWith("--") && arg !== "--update");
  if (unknown.length > 0 || given.length > 1) {
    console.error(`usage: npm run conformance [-- [--update] DIR]; got ${args.join(" ")}`);
    return finish(0, 0, 2);
  }
  const named = given[0] ?? process.env["ETCD_RAFT_TESTDATA"];
  const folder = named === undefined ? defaultFolder() : resolve(named);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    console.error(
      `conformance: no directory ${folder}${named === undefined ? "; nothing to run" : ""}`,
    );
    return finish(0, 0, named === undefined ? 0 : 2);
  }
  await compile();
  const { runScript, scriptKinds } = await import(pathToFileURL(runner).href);
  let passed = 0;
  let failed = 0;
  for (const kind of scriptKinds) {
    for (const file of textFiles(join(folder, kind))) {
      const source = readFileSync(file, "utf8");
      try {
        const outcome = runScript(kind, source, { record: update });
        if (update && outcome.recorded !== source) {
          writeFileSync(file, outcome.recorded);
          console.log(`${file}: written`);
        }
        if (outcome.difference === undefined) {
          passed++;
          continue;
        }
        const { directive, expected, actual } = outcome.difference;
        console.log(
          `${file}:${directive.line}: ${directive.command}\nexpected:\n${show(expected)}\nactual:\n${show(actual)}\n`,
        );
      } catch (error) {
        console.log(
          `${file}: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
        );
      }
      failed++;
    }
  }
  if (passed + failed === 0)
    console.error(`conformance: no .txt file in ${scriptKinds.join(", ")} under ${folder}`);
  finish(passed, failed, failed > 0 ? 1 : 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
