/**
 * The rules of the house that no compiler knows: layers, third-party packages, headers, sizes, names, documents.
 *
 * A rule that must give way does so here, in a table, with its reason.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { filesUnder } from "../../.ci/build.mjs";
import { missingOptionals } from "../../.ci/lockfile.mjs";
import { sourceOf } from "../../.ci/source-alias.mjs";

const root = join(import.meta.dirname, "../..");

/** Left to right: a folder imports from itself and from those to its left; those side by side do not know each other. */
const layers: readonly (readonly string[])[] = [
  ["base"],
  ["core"],
  ["codec"],
  ["storage", "transport"],
  ["security"],
  ["runtime"],
  ["machines"],
  ["autopilot"],
  ["room"],
  ["react", "inspector", "yjs", "edge", "testing"],
  ["playwright"],
];

/** The runtime is handed a storage and a transport; it must not know which. What is pure it may use. */
const runtimeMayImport = [
  "lib/storage/storage.ts",
  "lib/storage/join-writes.ts",
  "lib/storage/snapshot-policy.ts",
  "lib/storage/applied-bytes.ts",
  "lib/transport/transport.ts",
];

/** Adapters for Node; everything else runs in a browser as well. */
const forNode = ["lib/storage/file.ts", "lib/storage/lock-file.ts"];

/** Each third-party package of what we ship, and the one or two files it sits behind. */
const behind: Readonly<Record<string, readonly string[]>> = {
  "@standard-schema/spec": ["lib/machines/input.ts", "lib/machines/machine.ts"],
  idb: ["lib/storage/indexeddb.ts", "lib/storage/indexeddb-connection.ts"],
  "simple-peer": ["lib/transport/webrtc.ts"],
  tweetnacl: ["lib/security/identity.ts", "lib/security/seal.ts"],
  ws: ["relay/attach.ts", "relay/connection.ts", "lib/transport/websocket.ts"],
};

const linesMax = 400;
/** Tables grow with the rules they list. */
const testLinesMax = 800;
const longerFiles: Readonly<Record<string, string>> = {};

/** Tests that only some machines can run; they say so by `test.skip(condition, reason)`. */
const conditional: Readonly<Record<string, string>> = {
  "tests/e2e/loopback.spec.ts": "a network namespace, which only root may make",
};

const library = filesUnder("lib").filter(isCode);
const relay = filesUnder("relay").filter(isCode);
const demo = filesUnder("demo").filter(isCode);
const scripts = filesUnder(".ci").filter(isCode);
const tests = filesUnder("tests").filter(isCode);
const all = [...library, ...relay, ...demo, ...scripts, ...tests];
const manifest = JSON.parse(read("package.json"));
const dependencies: Record<string, string> = {
  ...manifest.dependencies,
  ...manifest.peerDependencies,
  ...manifest.devDependencies,
};

describe("layers", () => {
  test("every folder of lib/ is a layer", () => {
    const folders = new Set(library.map(folderOf));
    folders.delete("");
    expect([...folders].filter((folder) => rankOf(folder) < 0)).toEqual([]);
  });

  test("a folder imports only from those to its left", () => {
    const wrong = importsWithin(library).filter(({ from, to }) => {
      const [mine, theirs] = [folderOf(from), folderOf(to)];
      return mine !== "" && mine !== theirs && !(rankOf(theirs) < rankOf(mine));
    });
    expect(wrong.map(arrow)).toEqual([]);
  });

  test("the runtime knows no adapter", () => {
    const adapters = ["storage", "transport"];
    const wrong = importsWithin(library).filter(
      ({ from, to }) =>
        folderOf(from) === "runtime" &&
        adapters.includes(folderOf(to)) &&
        !runtimeMayImport.includes(to),
    );
    expect(wrong.map(arrow)).toEqual([]);
  });

  test("files import files, never an index.ts", () => {
    const wrong = importsWithin(all).filter(({ to }) => to.startsWith("lib/") && isIndex(to));
    expect(wrong.map(arrow)).toEqual([]);
  });

  test("demo and relay import the library by name", () => {
    const wrong = importsWithin([...demo, ...relay]).filter(({ to }) => to.startsWith("lib/"));
    expect(wrong.map(arrow)).toEqual([]);
  });
});

describe("third-party packages", () => {
  const shipped = [...library, ...relay].filter((file) => !file.endsWith(".d.ts"));

  test("each sits behind its files", () => {
    const wrong = importsOf(shipped)
      .map(({ from, specifier }) => ({ from, name: packageOf(specifier) }))
      .filter(({ name }) => name !== undefined)
      .filter(({ from, name }) => !behind[name as string]?.includes(from));
    expect(wrong.map(({ from, name }) => `${from} imports ${name}`)).toEqual([]);
  });

  test("only adapters for Node import its modules", () => {
    const wrong = importsOf(library)
      .filter(({ specifier }) => specifier.startsWith("node:"))
      .filter(({ from }) => !forNode.includes(from));
    expect(wrong.map(({ from, specifier }) => `${from} imports ${specifier}`)).toEqual([]);
  });

  test("exactly those of the table are runtime dependencies", () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(Object.keys(behind).sort());
  });

  test("versions are pinned", () => {
    const loose = Object.entries(dependencies).filter(
      ([, version]) => !/^(\d+\.\d+\.\d+|file:.*)$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  test("each is argued for in docs/DEPENDENCIES.md", () => {
    const page = read("docs/DEPENDENCIES.md");
    const unnamed = Object.keys(dependencies).filter((name) => !page.includes(`\`${name}\``));
    expect(unnamed).toEqual([]);
  });

  test("the lockfile has what package.json asks for, for every platform", () => {
    const { packages } = JSON.parse(read("package-lock.json"));
    const { dependencies = {}, devDependencies = {} } = packages[""];
    expect({ ...dependencies, ...devDependencies }).toEqual({
      ...manifest.dependencies,
      ...manifest.devDependencies,
    });
    expect(Object.keys(missingOptionals(packages)), "run: npm run lockfile").toEqual([]);
  });
});

describe("files", () => {
  test("open with what they are", () => {
    const header = /^(#!.*\n)?("use strict";\n)?\/\*\*/;
    const wrong = [...library, ...relay, ...demo, ...scripts].filter(
      (file) => !header.test(read(file)),
    );
    expect(wrong).toEqual([]);
  });

  test("are short", () => {
    const lines = (file: string): number => read(file).split("\n").length - 1;
    const limit = (file: string): number => (file.startsWith("tests/") ? testLinesMax : linesMax);
    const isLong = (file: string): boolean => lines(file) > limit(file);
    expect(all.filter((file) => isLong(file) && !(file in longerFiles))).toEqual([]);
    expect(
      Object.keys(longerFiles).filter((file) => !isLong(file)),
      "no longer long",
    ).toEqual([]);
  });

  test("are named for what they hold, in kebab-case", () => {
    const vague = /^(utils?|helpers?|common|misc|base|.*-manager|.*-impl)$/;
    const wrong = all.filter((file) => {
      const [stem = ""] = basename(file).split(".");
      return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem) || vague.test(stem);
    });
    expect(wrong).toEqual([]);
  });

  test("mention nothing outside the repository", () => {
    const outside = ["..", "shared"].join("/");
    const documents = [...filesUnder("docs"), "package.json", "README.md"].filter(isThere);
    const wrong = [...all, ...documents].filter((file) => read(file).includes(outside));
    expect(wrong.filter((file) => file !== ".ci/conformance.mjs")).toEqual([]);
  });
});

describe("tests", () => {
  test("none is switched off, none shuts out the others", () => {
    const switched = /\b(?:test|it|describe)(?:\.\w+)*\.(?:only|skip|todo|fixme)\b/;
    const others = tests.filter((file) => file !== "tests/house/tidy.test.ts");
    const wrong = others.filter((file) => switched.test(read(file)));
    expect(wrong).toEqual(Object.keys(conditional).filter(isThere));
    expect(switched.test("test.concurrent.skip(")).toBe(true);
  });

  test("none sleeps", () => {
    // A wait of a few milliseconds between two looks at a condition is none.
    const sleep = /\bsleep\(|waitForTimeout\(|=> setTimeout\(\w+, \d\d|timers\/promises/;
    const wrong = tests.filter((file) => file !== "tests/house/tidy.test.ts");
    expect(wrong.filter((file) => sleep.test(read(file)))).toEqual([]);
  });
});

describe("package.json", () => {
  test("every sub-path leads to a source", () => {
    const targets = Object.values<string | { default: string }>(manifest.exports)
      .map((target) => (typeof target === "string" ? target : target.default))
      .concat(Object.values<string>(manifest.bin ?? {}))
      .filter((target) => target.startsWith("./dist/"));
    expect(targets.map(sourceOf).filter((file) => !isThere(file))).toEqual([]);
  });
});

describe("documents", () => {
  test("links between them lead somewhere", () => {
    const pages = ["README.md", ...filesUnder("docs")].filter((file) => file.endsWith(".md"));
    const broken = pages.filter(isThere).flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map((match) => join(dirname(page), match[1] as string))
        .filter((target) => !isThere(target))
        .map((target) => `${page} → ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Import {
  readonly from: string;
  readonly specifier: string;
}

/** Every import, re-export and `import()` of `files`, types included. */
function importsOf(files: readonly string[]): Import[] {
  return files.flatMap((from) =>
    ts
      .preProcessFile(read(from), true, true)
      .importedFiles.map(({ fileName }) => ({ from, specifier: fileName })),
  );
}

/** Those that lead to another file of the repository. */
function importsWithin(files: readonly string[]): { from: string; to: string }[] {
  return importsOf(files)
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ from, specifier }) => ({
      from,
      to: normalize(join(dirname(from), specifier))
        .replaceAll("\\", "/")
        .replace(/\.js$/, ".ts"),
    }));
}

/** The package an import names; undefined for files, Node's modules and ourselves. */
function packageOf(specifier: string): string | undefined {
  if (/^(\.|#|node:|logboom(\/|$))/.test(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** `lib/core/log.ts` → `core`, `lib/index.ts` → "" */
function folderOf(file: string): string {
  const [, folder = "", ...rest] = file.split("/");
  return rest.length === 0 ? "" : folder;
}

function rankOf(folder: string): number {
  return layers.findIndex((side) => side.includes(folder));
}

function isIndex(file: string): boolean {
  return basename(file) === "index.ts";
}

function isCode(file: string): boolean {
  return /\.(ts|mjs|cjs)$/.test(file);
}

function isThere(file: string): boolean {
  return existsSync(join(root, file));
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function arrow({ from, to }: { from: string; to: string }): string {
  return `${from} → ${to}`;
}
