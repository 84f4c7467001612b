/**
 * `npm run torture -- wal | kill | browser`: storage under damage, kills and failing disks, with figures.
 *
 *   wal      [--writes N] [--segment BYTES] [--seed N]                  every truncation, bit, sector; every crash point; every failing call
 *   kill     [--rounds N] [--seed N]                                    a child process is killed while it writes
 *   browser  [--backend indexeddb|opfs] [--rounds N] [--seed N]         a whole Chromium is killed while a page writes
 *
 * The last line is one JSON object { cases, acked, lost, silent, wiped }; the exit code is 0 when lost and silent are 0 and something was
 * acknowledged at all, 1 when not, 2 for what was not understood.
 */
import { parseArgs } from "node:util";
import { build } from "../../.ci/build.mjs";
import { killWithUs } from "./victims.mjs";

/** @typedef {{ cases: number, acked: number, lost: number, silent: number, wiped: number, findings: string[] }} Result */
/** @typedef {{ load: () => Promise<{ run: (options: any) => Promise<Result> }>, options: readonly string[] }} Kind */
/** @type {ReadonlyMap<string, Kind>} */
const kinds = new Map([
  ["wal", { load: () => import("./wal.mjs"), options: ["writes", "segment", "seed"] }],
  ["kill", { load: () => import("./kill.mjs"), options: ["rounds", "seed"] }],
  ["browser", { load: () => import("./browser.mjs"), options: ["backend", "rounds", "seed"] }],
]);
const backends = ["indexeddb", "opfs"];

/** @param {string} what @returns {never} */
function refuse(what) {
  console.error(`torture: ${what}`);
  process.exit(2);
}

/** @param {readonly string[]} options */
function readOptions(options) {
  const known = Object.fromEntries(options.map((name) => [name, { type: "string" }]));
  try {
    const { values, positionals } = parseArgs({
      args: process.argv.slice(3),
      allowPositionals: true,
      options: /** @type {Record<string, { type: "string" }>} */ (known),
    });
    if (positionals.length > 0) refuse(`one kind at a time, got ${positionals.join(" ")} as well`);
    return values;
  } catch (error) {
    const taken = options.map((name) => `--${name}`).join(", ");
    return refuse(`${/** @type {Error} */ (error).message.split("\n")[0]} (it takes ${taken})`);
  }
}

const name = process.argv[2] ?? "nothing";
const kind = kinds.get(name) ?? refuse(`say what: ${[...kinds.keys()].join(", ")}; got ${name}`);
const values = readOptions(kind.options);
for (const [option, value] of Object.entries(values)) {
  if (option === "backend") {
    if (backends.includes(value)) continue;
    refuse(`--backend is ${backends.join(" or ")}, got ${value}`);
  }
  const least = option === "seed" ? 0 : 1;
  if (/^\d+$/.test(value) && Number.isSafeInteger(Number(value)) && Number(value) >= least)
    continue;
  refuse(`--${option} is a whole number of at least ${least}, got ${value}`);
}

await build(["code", "worker"]);
killWithUs();
const { run } = await kind.load();
const result = await run(values);
for (const finding of result.findings) console.error(finding);
const { cases, acked, lost, silent, wiped } = result;
console.log(JSON.stringify({ cases, acked, lost, silent, wiped }));
process.exitCode = lost + silent === 0 && acked > 0 ? 0 : 1;
