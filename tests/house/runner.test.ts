/** The sum of `npm test` cannot look better than what was run: each row is a runner that really runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, describe, expect, test, vi } from "vitest";
import { candidates } from "../../.ci/chromium.mjs";
import { run } from "../../.ci/runner.mjs";

const folder = mkdtempSync(join(tmpdir(), "logboom-runner-"));
afterAll(() => rmSync(folder, { recursive: true }));
const later = (): number => Date.now() + 60_000;

describe("a runner that speaks by its last line", () => {
  test.each([
    { name: "passes", code: say("3 passed, 0 failed"), count: [3, 0] },
    { name: "fails", code: `${say("2 passed, 1 failed")} process.exitCode = 1;`, count: [2, 1] },
    { name: "has no test", code: say("0 passed, 0 failed"), count: [0, 1] },
    { name: "says nothing", code: "", count: [0, 1] },
    { name: "goes on after its sum", code: say("3 passed, 0 failed\\nbye"), count: [0, 1] },
    {
      name: "crashes after its sum",
      code: `${say("3 passed, 0 failed")} process.exitCode = 7;`,
      count: [3, 1],
    },
    { name: "is killed", code: "process.kill(process.pid, 'SIGKILL');", count: [0, 1] },
    { name: "is no program", code: "this is no program", count: [0, 1] },
  ])("one that $name counts as $count", async ({ name, code, count: [passed, failed] }) => {
    expect(await quietly({ name, command: program(name, code) })).toEqual({ passed, failed });
  });

  test("one whose data is not here may be empty", async () => {
    const command = program("absent", say("0 passed, 0 failed"));
    const count = await quietly({ name: "absent", command, mayBeEmpty: true });
    expect(count).toEqual({ passed: 0, failed: 0 });
  });

  test("one that does not end is asked to, and fails", async () => {
    const command = program("endless", "setInterval(() => {}, 1000);");
    const count = await quietly({ name: "endless", command }, Date.now() + 500);
    expect(count).toEqual({ passed: 0, failed: 1 });
  });
});

describe("a runner that writes a report", () => {
  const report = join(folder, "report.json");
  const write = (json: string): string =>
    `require("fs").writeFileSync(${JSON.stringify(report)}, '${json}');`;
  const count = (whole: { good: number; bad: number }) => ({
    passed: whole.good,
    failed: whole.bad,
  });

  test.each([
    { name: "reports", code: write('{"good":5,"bad":0}'), count: [5, 0] },
    { name: "reports a failure", code: write('{"good":5,"bad":2}'), count: [5, 2] },
    { name: "leaves none", code: "", count: [0, 1] },
    {
      name: "reports and crashes",
      code: `${write('{"good":5,"bad":0}')} process.exit(1);`,
      count: [5, 1],
    },
  ])("one that $name counts as $count", async ({ name, code, count: [passed, failed] }) => {
    rmSync(report, { force: true });
    const counted = await quietly({ name, command: program(name, code), report, count });
    expect(counted).toEqual({ passed, failed });
  });
});

describe("a program that ends with its parent", () => {
  const parent = new URL("../../.ci/parent.mjs", import.meta.url);
  const begin = `const letGo = (await import(${JSON.stringify(parent)})).endWithParent(() => console.log("stopped"));`;

  test.each([
    { name: "passes", code: "letGo();", exitCode: 0 },
    { name: "fails", code: "process.exitCode = 3; letGo();", exitCode: 3 },
  ])("keeps its own exit code when it $name and lets go", async ({ name, code, exitCode }) => {
    const child = startWithChannel(name, `${begin} ${code}`);
    expect(await ended(child)).toEqual({ exitCode, output: "" });
  });

  test("stops when the channel to its parent closes", async () => {
    const child = startWithChannel("orphan", `${begin} process.send("ready");`);
    child.once("message", () => child.disconnect());
    expect(await ended(child)).toEqual({ exitCode: 1, output: "stopped\n" });
  });

  test("stops on a signal", async () => {
    const child = startWithChannel("signalled", `${begin} process.send("ready");`);
    child.once("message", () => child.kill("SIGTERM"));
    expect(await ended(child)).toEqual({ exitCode: 1, output: "stopped\n" });
  });
});

describe("the browser of the tests", () => {
  const places = ["/usr/bin/google-chrome", "/usr/bin/chromium", "/mine"];
  const exists = (path: string): boolean => places.includes(path);

  test("the one named by LOGBOOM_CHROMIUM is the only one", () => {
    const found = candidates({ LOGBOOM_CHROMIUM: "/mine" }, "linux", exists);
    expect(found).toEqual([{ path: "/mine", from: "LOGBOOM_CHROMIUM" }]);
  });

  test("a name that leads nowhere is an error, not a reason to take another", () => {
    const look = () => candidates({ LOGBOOM_CHROMIUM: "/none" }, "linux", exists);
    expect(look).toThrow("LOGBOOM_CHROMIUM names a file that does not exist: /none");
  });

  test("Chrome comes before Chromium, and an empty name is none", () => {
    const found = candidates({ LOGBOOM_CHROMIUM: "" }, "linux", exists);
    expect(found.map(({ path }) => path)).toEqual(["/usr/bin/google-chrome", "/usr/bin/chromium"]);
  });

  test.each([
    {
      platform: "darwin",
      env: {},
      known: "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    },
    { platform: "win32", env: { PROGRAMFILES: "C:\\Program Files" }, known: "msedge.exe" },
  ] as const)("places are known on $platform", ({ platform, env, known }) => {
    const found = candidates(env, platform, (path) => path.endsWith(known));
    expect(found).not.toEqual([]);
  });
});

function say(line: string): string {
  return `console.log("1 of many lines\\n${line}");`;
}

function program(name: string, code: string): string[] {
  const file = join(folder, `${name.replaceAll(" ", "-")}.cjs`);
  writeFileSync(file, code);
  return [file];
}

/** As the set-up script starts a program: with an IPC channel, which the program keeps open. */
function startWithChannel(name: string, code: string): ChildProcess {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, code);
  return spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
}

async function ended(child: ChildProcess): Promise<{ exitCode: number | null; output: string }> {
  // Not "close", which Node does not emit for a child whose channel the parent closed.
  const exit = once(child, "exit");
  const output = child.stdout === null ? "" : await text(child.stdout);
  const [exitCode] = await exit;
  return { exitCode, output };
}

/** Without its output in that of this test, whose last lines are somebody's report too. */
async function quietly(
  runner: Parameters<typeof run>[0],
  deadline = later(),
): ReturnType<typeof run> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    return await run(runner, deadline);
  } finally {
    log.mockRestore();
    out.mockRestore();
  }
}
