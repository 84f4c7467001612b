/**
 * `logboom` and its sub-paths → the sources, read from package.json's exports, so that unit tests need no build.
 * What users import (dist/) is what the browser tests and the packed tarball run.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** @returns {{ find: RegExp, replacement: string }[]} */
export function sourceAlias() {
  const { exports = {} } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  return Object.entries(exports).flatMap(([subPath, target]) => {
    const compiled = typeof target === "string" ? target : target.default;
    if (!compiled.endsWith(".js")) return [];
    const find = new RegExp(`^logboom${subPath.slice(1)}$`);
    return [{ find, replacement: fileURLToPath(new URL(sourceOf(compiled), root)) }];
  });
}

/** @param {string} compiled  `./dist/relay/x.js`, `./dist/x.js`, or a bundle of it, `./dist/x.bundle.js` */
export function sourceOf(compiled) {
  return compiled
    .replace(/^\.\/dist\/relay\//, "./relay/")
    .replace(/^\.\/dist\//, "./lib/")
    .replace(/(\.bundle)?\.js$/, ".ts");
}
