/**
 * The cases of `tests/types/*.cases.ts` and the example of docs/MACHINES.md, compiled as a user's project compiles them: against
 * our declarations, with each TypeScript that we promise. Every line under `@ts-expect-error` must fail to compile, every
 * other one must compile.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** A project of its own, inside the repository so that its packages are found, and ignored by git. */
const project = join(root, "test-results", "types");
const cases = ["machine.cases.ts", "room.cases.ts"];

const compilers = [
  { version: "5.4", path: "tests/types/compilers/5.4/node_modules/typescript/bin/tsc" },
  { version: "5.9", path: "tests/types/compilers/5.9/node_modules/typescript/bin/tsc" },
  { version: "6.0", path: "node_modules/typescript/bin/tsc" },
  { version: "7.0", path: "tests/types/compilers/7.0/node_modules/typescript/bin/tsc" },
];

const tsconfig = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitReturns: true,
    noEmit: true,
    skipLibCheck: true,
    paths: { logboom: ["./lib/index.d.ts"] },
  },
  include: ["tests/types/*.ts"],
};

beforeAll(async () => {
  await rm(project, { recursive: true, force: true });
  await mkdir(join(project, "tests/types"), { recursive: true });
  for (const name of ["eq.ts", ...cases]) {
    await cp(join(root, "tests/types", name), join(project, "tests/types", name));
  }
  await writeFile(
    join(project, "tests/types/machines.md.ts"),
    await examplesOf("docs/MACHINES.md"),
  );
  await writeFile(join(project, "tsconfig.json"), JSON.stringify(tsconfig));
  await declare(["lib/index.ts", "lib/machines/machine.ts", "lib/room/types.ts"]);
});

/** The code of a page. */
async function examplesOf(page: string): Promise<string> {
  const text = await readFile(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join("\n");
}

/** Writes the declarations of `entries` and of all that they import. (isolatedDeclarations: one file at a time, unchecked.) */
async function declare(entries: readonly string[]): Promise<void> {
  const files = new Set(entries);
  for (const file of files) {
    const source = await readFile(join(root, file), "utf8");
    const { outputText } = ts.transpileDeclaration(source, { fileName: file });
    const target = join(project, file.replace(/\.ts$/, ".d.ts"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
    for (const [, path] of outputText.matchAll(/from "(\.[^"]+)\.js"/g)) {
      files.add(join(dirname(file), `${path}.ts`));
    }
  }
}

function run(arguments_: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, arguments_, { cwd: project }, (error, stdout, stderr) => {
      resolve(error === null ? stdout : `${stdout}${stderr}` || error.message);
    });
  });
}

describe.concurrent("the cases compile with", () => {
  test.each(compilers)("TypeScript $version", { timeout: 300_000 }, async ({ version, path }) => {
    const manifest = await readFile(join(root, path, "../../package.json"), "utf8");
    expect((JSON.parse(manifest) as { version: string }).version).toMatch(
      new RegExp(`^${version}\\.`),
    );
    const errors = await run([join(root, path), "-p", "."]);
    expect(errors).toBe("");
  });
});
