/** A user's side: docs/SIMULATOR.md's example, read from there, compiled and run as a user would, against the compiled package. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, it } from "vitest";
import { build } from "../../.ci/build.mjs";

const root = join(import.meta.dirname, "../..");
const project = mkdtempSync(join(tmpdir(), "logboom-machine-"));
const page = readFileSync(join(root, "docs/SIMULATOR.md"), "utf8");
const example = page.split("```ts\n")[1]?.split("```")[0] ?? "";

beforeAll(async () => {
  await build(["code"]);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "user", type: "module" }));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/logboom"), "dir");
  writeFileSync(join(project, "example.ts"), example);
}, 180_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

async function run(text: string): Promise<string> {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  const file = join(project, "example.mjs");
  writeFileSync(file, outputText);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: project });
  return stdout.trim();
}

it("is ten lines", () => {
  const code = example.split("\n").filter((line) => line.trim() !== "");
  expect(code.length).toBeLessThanOrEqual(10);
});

it("compiles strictly", { timeout: 120_000 }, () => {
  const program = ts.createProgram([join(project, "example.ts")], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
    types: [],
    skipLibCheck: true,
    exactOptionalPropertyTypes: true,
  });
  const found = ts.getPreEmitDiagnostics(program);
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual(
    [],
  );
});

it("finds the number that is not the state's own", { timeout: 120_000 }, async () => {
  expect(await run(example)).toMatch(
    /^I20: (states|outcomes) of nodes \d+ and \d+ differ at index \d+$/,
  );
});

it("leaves the same machine alone once the number is the state's own", {
  timeout: 120_000,
}, async () => {
  const mended = example.replace("++served", "Object.keys(state.tickets).length");
  expect(mended).not.toBe(example);
  expect(await run(mended)).toBe("undefined");
});
