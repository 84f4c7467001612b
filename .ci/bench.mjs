/**
 * Benchmarks: `npm run bench -- core`. Builds what changed, then runs tests/bench/<name>.mjs in a process of its own.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";

const benches = ["core", "storage", "cluster", "browser"];
/** Where the script is not named after the benchmark. */
const scripts = new Map([["cluster", "nodes"]]);

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || rest.length > 0 || !benches.includes(name)) {
  console.error(
    `usage: npm run bench -- ${benches.join("|")}; got "${process.argv.slice(2).join(" ")}"`,
  );
  process.exitCode = 2;
} else {
  await build(name === "browser" ? ["code", "worker", "demo"] : ["code", "worker"]);
  const script = fileURLToPath(
    new URL(`../tests/bench/${scripts.get(name) ?? name}.mjs`, import.meta.url),
  );
  process.exitCode =
    spawnSync(process.execPath, ["--expose-gc", script], { stdio: "inherit" }).status ?? 1;
}
