/** The set-up script: what it refuses, when it installs, and that two at once install once. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import setup from "../../.ci/setup.cjs";
import { npmCli } from "./npm-cli.js";

const script = join(import.meta.dirname, "../../.ci/setup.cjs");

describe("what it refuses", () => {
  test.each([
    { version: "v20.19.0", fits: true },
    { version: "v20.20.2", fits: true },
    { version: "v22.12.0", fits: true },
    { version: "v25.0.0-nightly20250101", fits: true },
    { version: "v20.18.3", fits: false },
    { version: "v18.20.8", fits: false },
    { version: "v6.17.1", fits: false },
    { version: "v4.9.1", fits: false },
  ])("Node $version: fits $fits", ({ version, fits }) => {
    const problem = setup.nodeProblem(version);
    expect(problem === undefined).toBe(fits);
    if (!fits) expect(problem).toContain(`needs Node 20.19 or newer, and this is ${version}`);
  });

  test.each([
    { agent: undefined, name: undefined },
    { agent: "npm/11.19.1 node/v20.20.2 linux x64 workspaces/false", name: undefined },
    { agent: "pnpm/10.0.0 npm/? node/v20.20.2 linux x64", name: "pnpm" },
    { agent: "yarn/4.1.0 npm/? node/v20.20.2 linux x64", name: "yarn" },
    { agent: "bun/1.4.5 npm/? node/v24.3.0 linux x64", name: "bun" },
  ])("package manager $agent: told to use npm: $name", ({ agent, name }) => {
    const problem = setup.callerProblem(agent);
    if (name === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(new RegExp(`not with ${name}: please use npm`));
  });

  test("its syntax is ES2015, which an old Node reads far enough to say so", () => {
    const source = readFileSync(script, "utf8");
    expect(printedFor(ts.ScriptTarget.ES2015, source)).toBe(
      printedFor(ts.ScriptTarget.ESNext, source),
    );
    const newer = "const f = async () => ({ ...a?.b });";
    expect(printedFor(ts.ScriptTarget.ES2015, newer)).not.toBe(
      printedFor(ts.ScriptTarget.ESNext, newer),
    );
  });

  test("its modules are named as an old Node names them", () => {
    expect(readFileSync(script, "utf8")).not.toContain('require("node:');
  });
});

describe("which npm it runs", () => {
  test.each([
    { npm_execpath: "/usr/lib/node_modules/npm/bin/npm-cli.js", file: process.execPath },
    { npm_execpath: "C:\\Program Files\\nodejs\\npm-cli.js", file: process.execPath },
    { npm_execpath: "/usr/share/yarn/bin/yarn.js", file: "npm" },
    { npm_execpath: undefined, file: "npm" },
  ])("npm_execpath $npm_execpath: $file", ({ npm_execpath, file }) => {
    const env = npm_execpath === undefined ? {} : { npm_execpath };
    expect(setup.npmCommand(env, "linux").file).toBe(file);
  });

  test("npm of the PATH needs a shell on Windows alone", () => {
    expect(setup.npmCommand({}, "win32").shell).toBe(true);
    expect(setup.npmCommand({}, "darwin").shell).toBe(false);
  });
});

describe("installing", { timeout: 60_000 }, () => {
  let repo: Repo;
  beforeEach(() => {
    repo = new Repo();
  });
  afterEach(() => repo.remove());

  test("runs npm ci once, and again only when the lockfile changed", async () => {
    expect(await repo.setUp().ended).toMatchObject({ code: 0 });
    expect(await repo.setUp().ended).toMatchObject({ code: 0, stderr: "" });
    expect(repo.npmRuns()).toBe(1);
    repo.writeLockfile({}, "1.0.1");
    expect(await repo.setUp().ended).toMatchObject({ code: 0 });
    expect(repo.npmRuns()).toBe(2);
  });

  test("is done again after it failed", async () => {
    writeFileSync(join(repo.path, "package-lock.json"), "not a lockfile");
    expect(await repo.setUp().ended).toMatchObject({ code: 1 });
    expect(await repo.setUp().ended).toMatchObject({ code: 1 });
    expect(repo.npmRuns()).toBe(2);
    repo.writeLockfile({});
    expect(await repo.setUp().ended).toMatchObject({ code: 0 });
  });

  test("says so when the lockfile does not match package.json", async () => {
    repo.write("pebble/package.json", JSON.stringify({ name: "pebble", version: "1.0.0" }));
    repo.writePackage({ pebble: "file:pebble" });
    const { code, stderr } = await repo.setUp().ended;
    expect(code).toBe(1);
    expect(stderr).toContain("package-lock.json does not match package.json");
  });

  test("two at once wait for each other and install once", async () => {
    const both = [repo.setUp(), repo.setUp()];
    const ends = await Promise.all(both.map((run) => run.ended));
    expect(ends.map((end) => end.code)).toEqual([0, 0]);
    expect(repo.npmRuns()).toBe(1);
    expect(existsSync(join(repo.path, ".setup-lock"))).toBe(false);
  });

  test("eight at once take over the lock of a process that is gone, and install once", async () => {
    const gone = spawnSync(process.execPath, ["--version"]).pid;
    writeFileSync(join(repo.path, ".setup-lock"), `${hostname()} ${gone}`);
    const ends = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => repo.setUp().ended));
    expect(ends.map((end) => end.code)).toEqual(ends.map(() => 0));
    expect(repo.npmRuns()).toBe(1);
    expect(existsSync(join(repo.path, ".setup-lock"))).toBe(false);
  });

  test("waits for a holder that lives, and says for whom", async () => {
    writeFileSync(join(repo.path, ".setup-lock"), `${hostname()} ${process.pid}`);
    const run = repo.setUp();
    await run.stderrHas(`Another set-up is running (process ${process.pid})`);
    expect(repo.npmRuns()).toBe(0);
    rmSync(join(repo.path, ".setup-lock"));
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(repo.npmRuns()).toBe(1);
  });

  test("without network it installs from npm's cache, or says so in one line", async () => {
    const registry = await Registry.open(repo);
    repo.writePackage({ pebble: "1.0.0" });
    repo.writeLockfile({ pebble: registry.locked });
    expect(await repo.setUp().ended).toMatchObject({ code: 0 });
    registry.close();

    rmSync(join(repo.path, "node_modules"), { recursive: true });
    expect(await repo.setUp().ended).toMatchObject({ code: 0 });
    expect(existsSync(join(repo.path, "node_modules/pebble/package.json"))).toBe(true);

    rmSync(join(repo.path, "node_modules"), { recursive: true });
    rmSync(repo.cache, { recursive: true });
    const { code, stderr } = await repo.setUp().ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      "Installing packages (npm ci) …\nThe package registry cannot be reached and npm's cache lacks some packages: " +
        "please connect once and try again.\n",
    );
  });
});

describe("the script it runs afterwards", { timeout: 60_000 }, () => {
  let repo: Repo;
  beforeEach(() => {
    repo = new Repo();
  });
  afterEach(() => repo.remove());

  test("gets the arguments, and its exit code is ours", async () => {
    repo.write("task.mjs", "console.log(process.argv.slice(2).join('|')); process.exitCode = 7;");
    const run = repo.setUp("task.mjs", "--port", "9");
    expect(await run.ended).toMatchObject({ code: 7, stdout: "--port|9\n" });
  });

  const waiting = `
    process.on("SIGTERM", () => { console.log("told"); process.exit(3); });
    process.on("disconnect", () => { console.log("cut off"); process.exit(4); });
    console.log("running");
    setInterval(() => {}, 1000);
  `;

  test("is told of a SIGTERM, and we end when it has", async () => {
    repo.write("task.mjs", waiting);
    const run = repo.setUp("task.mjs");
    await run.stdoutHas("running");
    run.child.kill("SIGTERM");
    expect(await run.ended).toMatchObject({ code: 3, stdout: "running\ntold\n" });
  });

  test("is told when the shell that npm put between is gone", async () => {
    repo.write("task.mjs", waiting);
    const shell = `${process.execPath} .ci/setup.cjs task.mjs; true`; // `; true`: or the shell becomes the command
    const run = new Run(
      spawn("/bin/sh", ["-c", shell], { cwd: repo.path, env: repo.env("npm start") }),
    );
    await run.stdoutHas("running");
    run.child.kill("SIGTERM");
    expect(await run.ended).toMatchObject({ stdout: "running\ntold\n" });
  });

  test("learns by its channel that we were killed", async () => {
    repo.write("task.mjs", waiting);
    const run = repo.setUp("task.mjs");
    await run.stdoutHas("running");
    run.child.kill("SIGKILL");
    // Standard output closes when the script, which inherited it, has ended.
    expect(await run.ended).toMatchObject({ stdout: "running\ncut off\n" });
  });
});

// ── A repository of its own for each test ────────────────────────────────────────────────────────────────────────────

class Repo {
  readonly path = mkdtempSync(join(tmpdir(), "logboom-setup-"));
  readonly cache = join(this.path, "npm-cache");
  readonly #npm = join(this.path, "recording", "npm-cli.js");
  readonly #runs = join(this.path, "npm-runs");

  constructor() {
    mkdirSync(join(this.path, ".ci"));
    copyFileSync(script, join(this.path, ".ci/setup.cjs"));
    this.writePackage({});
    this.writeLockfile({});
    // The real npm, with a note of each run.
    this.write(
      "recording/npm-cli.js",
      `require("fs").appendFileSync(${JSON.stringify(this.#runs)}, "run\\n"); require(${JSON.stringify(npmCli())});`,
    );
  }

  write(name: string, text: string): void {
    mkdirSync(join(this.path, name, ".."), { recursive: true });
    writeFileSync(join(this.path, name), text);
  }

  writePackage(dependencies: Record<string, string>): void {
    this.write(
      "package.json",
      JSON.stringify({ name: "copy", version: "1.0.0", devDependencies: dependencies }),
    );
  }

  writeLockfile(locked: Record<string, { version: string }>, version = "1.0.0"): void {
    const devDependencies = Object.fromEntries(
      Object.entries(locked).map(([name, { version }]) => [name, version]),
    );
    const packages = Object.fromEntries(
      Object.entries(locked).map(([name, entry]) => [
        `node_modules/${name}`,
        { ...entry, dev: true },
      ]),
    );
    this.write(
      "package-lock.json",
      JSON.stringify({
        name: "copy",
        version,
        lockfileVersion: 3,
        requires: true,
        packages: { "": { name: "copy", version: "1.0.0", devDependencies }, ...packages },
      }),
    );
  }

  npmRuns(): number {
    return existsSync(this.#runs) ? readFileSync(this.#runs, "utf8").split("\n").length - 1 : 0;
  }

  setUp(...args: string[]): Run {
    const script = join(this.path, ".ci/setup.cjs");
    return new Run(spawn(process.execPath, [script, ...args], { env: this.env() }));
  }

  env(lifecycle?: string): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
    return {
      ...Object.fromEntries(inherited),
      ...(lifecycle === undefined ? {} : { npm_lifecycle_event: lifecycle }),
      npm_execpath: this.#npm,
      npm_config_user_agent: "npm/11.0.0 node/v20.19.0 linux x64",
      npm_config_cache: this.cache,
      npm_config_fetch_retries: "0",
      npm_config_registry: "http://127.0.0.1:1/", // nobody: no test asks the real one
      NODE_ENV: "production", // development packages are installed all the same
    };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

interface End {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<End>;
  #stdout = "";
  #stderr = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (text) => {
      this.#stdout += text;
    });
    child.stderr?.on("data", (text) => {
      this.#stderr += text;
    });
    this.ended = once(child, "close").then(([code]) => ({
      code: code as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  async stdoutHas(text: string): Promise<string> {
    while (!this.#stdout.includes(text)) await once(this.child.stdout ?? this.child, "data");
    return this.#stdout;
  }

  async stderrHas(text: string): Promise<string> {
    while (!this.#stderr.includes(text)) await once(this.child.stderr ?? this.child, "data");
    return this.#stderr;
  }
}

/** A registry on this machine that knows one package. */
class Registry {
  readonly locked: { version: string; resolved: string; integrity: string };
  readonly #server: Server;

  private constructor(server: Server, integrity: string) {
    const { port } = server.address() as AddressInfo;
    this.#server = server;
    this.locked = { version: "1.0.0", resolved: `http://127.0.0.1:${port}/pebble.tgz`, integrity };
  }

  static async open(repo: Repo): Promise<Registry> {
    repo.write("pebble/package.json", JSON.stringify({ name: "pebble", version: "1.0.0" }));
    const folder = join(repo.path, "pebble");
    const packed = spawnSync(process.execPath, [npmCli(), "pack", "--json"], { cwd: folder });
    const [{ filename, integrity }] = JSON.parse(packed.stdout.toString());
    const tarball = readFileSync(join(folder, filename));
    const server = createServer((_request, response) => response.end(tarball));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Registry(server, integrity);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function printedFor(target: ts.ScriptTarget, source: string): string {
  return ts.transpile(source, { target, module: ts.ModuleKind.None, removeComments: false });
}
