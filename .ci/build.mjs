/**
 * Builds what changed: the library and the relay with `tsc` into dist/, the demo with Vite into demo/dist/.
 *
 * A hash of a part's sources is written beside its output after success; while it stands the part is not built again.
 * `node .ci/build.mjs [code] [demo]`, by default both.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceOf } from "./source-alias.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));

const shared = ["package.json", "package-lock.json", "tsconfig.base.json", "tsconfig.json"];
const codeSources = [...shared, "lib", "relay"];

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string[]} sources  files and folders whose content decides
 * @property {string} output     is gone: build
 * @property {string[]} command
 */
/** @type {Record<string, Part>} */
const parts = {
  code: {
    name: "library and relay",
    sources: codeSources,
    output: "dist",
    command: ["node_modules/typescript/bin/tsc", "-b", "relay"],
  },
  worker: {
    name: "storage worker",
    sources: codeSources,
    output: "dist/storage/opfs-worker.bundle.js",
    // One self-contained file, for apps and bundlers that cannot follow a worker's imports.
    command: [
      "node_modules/rolldown/bin/cli.mjs",
      "dist/storage/opfs-worker.js",
      "--file",
      "dist/storage/opfs-worker.bundle.js",
      "--format",
      "esm",
      "--log-level",
      "warn",
    ],
  },
  demo: {
    name: "demo",
    sources: [...codeSources, "demo"],
    output: "demo/dist",
    command: ["node_modules/vite/bin/vite.js", "build", "demo", "--logLevel", "warn"],
  },
};

/** A compiler's complaints: shown as they are, without a stack of ours. */
export class BuildError extends Error {}

/**
 * Builds the parts named, in order, as far as they changed.
 * @param {string[]} names
 * @param {{ signal?: AbortSignal }} [options]
 * @throws BuildError
 */
export async function build(names = Object.keys(parts), options = {}) {
  for (const name of names) {
    const part = parts[name];
    if (part === undefined) {
      throw new Error(`there is no part "${name}" to build, only ${Object.keys(parts).join(", ")}`);
    }
    const hash = hashOf(part.sources);
    const stamp = join(root, "dist", `.built-${name}`);
    if (
      existsSync(join(root, part.output)) &&
      existsSync(stamp) &&
      readFileSync(stamp, "utf8") === hash
    )
      continue;
    console.error(`Building the ${part.name} …`);
    if (name === "code") removeOrphans();
    await runNode(part.command, options.signal);
    mkdirSync(join(root, "dist"), { recursive: true });
    writeFileSync(stamp, hash);
  }
}

/** @param {string[]} sources */
function hashOf(sources) {
  const hash = createHash("sha256");
  for (const file of sources.flatMap((source) => filesUnder(source))) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

/**
 * Files under `path`, relative to the repository, sorted, without what a build puts there.
 * @param {string} path
 * @returns {string[]}
 */
export function filesUnder(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  return readdirSync(full)
    .filter((name) => name !== "dist" && name !== "node_modules")
    .sort()
    .flatMap((name) => filesUnder(`${path}/${name}`));
}

/** What was compiled from a file that is no more would be packed and could still be imported. */
function removeOrphans() {
  const dist = join(root, "dist");
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    const match = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(name.split(sep).join("/"));
    if (match === null) continue;
    if (!existsSync(join(root, sourceOf(`./dist/${match[1]}.js`)))) rmSync(join(dist, name));
  }
}

/**
 * Runs a Node program to its end; its output is shown only when it fails.
 * @param {string[]} command
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function runNode(command, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: root, ...(signal ? { signal } : {}) });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new BuildError(`${output}${command[0]} failed (exit code ${code})`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  build(names.length === 0 ? undefined : names).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
