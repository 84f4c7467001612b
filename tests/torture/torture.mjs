/**
 * `npm run torture -- wal | kill | browser`: storage under damage, kills and failing disks, with figures.
 *
 *   wal      [--writes N] [--segment BYTES] [--seed N]     every truncation, bit, sector; every crash point; every failing call
 *   kill     [--rounds N]                                  a child process is killed while it writes
 *   browser  [--backend indexeddb|opfs] [--rounds N]       a whole Chromium is killed while a page writes
 *
 * The last line is one JSON object { cases, acked, lost, silent, wiped }; the exit code is 0 when lost and silent are 0.
 */
import { parseArgs } from "node:util";
import { build } from "../../.ci/build.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    backend: { type: "string" },
    writes: { type: "string" },
    segment: { type: "string" },
    seed: { type: "string" },
  },
});

const kinds = {
  wal: () => import("./wal.mjs"),
  kill: () => import("./kill.mjs"),
  browser: () => import("./browser.mjs"),
};
const kind = /** @type {keyof typeof kinds | undefined} */ (positionals[0]);
if (kind === undefined || !(kind in kinds)) {
  console.error(`torture: say what: ${Object.keys(kinds).join(", ")}; got ${kind ?? "nothing"}`);
  process.exit(2);
}
await build(["code", "worker"]);
const { run } = await kinds[kind]();
const result = await run(values);
for (const finding of result.findings) console.error(finding);
const { cases, acked, lost, silent, wiped } = result;
console.log(JSON.stringify({ cases, acked, lost, silent, wiped }));
process.exitCode = lost + silent === 0 && cases > 0 ? 0 : 1;
