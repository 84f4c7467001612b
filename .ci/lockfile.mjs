/**
 * Completes package-lock.json: every optional dependency of every locked package gets an entry.
 *
 * npm leaves out the binaries for other platforms when the registry it asks does not have them (mirrors often do not), and then
 * refuses its own lockfile in `npm ci`. An entry needs the version, which the parent names, and the platform, which the
 * package's name tells; without an integrity npm takes the registry's word for that one.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = new URL("../package-lock.json", import.meta.url);

/** @typedef {{ version: string, os?: string[], cpu?: string[], libc?: string[], dev?: boolean, optional?: boolean, optionalDependencies?: Record<string, string> }} Locked */

/**
 * The entries that `packages` lacks, by path.
 * @param {Record<string, Locked>} packages
 * @returns {Record<string, Locked>}
 */
export function missingOptionals(packages) {
  /** @type {Record<string, Locked>} */
  const missing = {};
  for (const [path, locked] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
      const nested = `${path}/node_modules/${name}`;
      const top = `node_modules/${name}`;
      if (nested in packages || top in packages) continue;
      if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`which ${name} is ${version}?`);
      const { cpu, libc, os } = platformOf(name);
      const dev = locked.dev === true ? { dev: true } : {};
      missing[top] = { version, cpu, ...dev, ...libc, optional: true, os };
    }
  }
  return missing;
}

/** @param {string} name  `@biomejs/cli-linux-x64-musl`, `@oxc-parser/binding-win32-ia32-msvc` … */
function platformOf(name) {
  const match = /-(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-(\w+))?$/.exec(
    name,
  );
  const [, os, cpu, abi = ""] = match ?? [];
  if (os === undefined || cpu === undefined) throw new Error(`which platform is ${name} for?`);
  const libc = os !== "linux" ? {} : { libc: [abi.startsWith("musl") ? "musl" : "glibc"] };
  return { cpu: [cpu], libc, os: [os] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lockfile = JSON.parse(readFileSync(file, "utf8"));
  const missing = missingOptionals(lockfile.packages);
  const all = { ...lockfile.packages, ...missing };
  const sorted = Object.keys(all).sort((a, b) => (a < b ? -1 : 1));
  lockfile.packages = Object.fromEntries(sorted.map((path) => [path, all[path]]));
  writeFileSync(file, `${JSON.stringify(lockfile, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} entries added to package-lock.json`);
}
