/**
 * The package as users get it: packed, installed from the tarball into a fresh Vite project, built and served without a plug-in,
 * loaded in Chromium; imported in Node, where nothing of a browser may be touched; and read by a strict compiler.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openFileStore } from "logboom/file";
import { attachRelay, type Relay } from "logboom/relay";
import { type Browser, chromium } from "playwright";
import * as vite from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { build } from "../../.ci/build.mjs";
import { launchOptions } from "../../.ci/chromium.mjs";
import { npmCli } from "./npm-cli.js";

const root = join(import.meta.dirname, "../..");
const project = mkdtempSync(join(tmpdir(), "logboom-packed-"));
const run = promisify(execFile);

const html = `<!doctype html>
<meta charset="utf-8" /><link rel="icon" href="data:," />
<title>opening</title>
<script type="module" src="/main.ts"></script>
`;

/** What a newcomer writes first. `relay` is put into the page's address by the test. */
const page = `
import { defineMachine, isRejected, openRoom } from "logboom";

const board = defineMachine({
  name: "board",
  version: 1,
  rejects: ["empty"],
  initial: () => ({ cards: [] as string[] }),
  commands: {
    add(board, { title }: { title: string }, ctx) {
      if (title === "") return ctx.reject("empty");
      board.cards.push(title);
      return board.cards.length;
    },
  },
});

const relay = new URLSearchParams(location.search).get("relay") ?? "";
const room = await openRoom(board, { relay, peerPer: "tab", name: "fresh project" });
await room.do.add({ title: "first" });
const refused = await room.do.add({ title: "" }).catch((error: unknown) => isRejected(error, board) && error.reason);
document.title = JSON.stringify({ cards: room.state.cards, refused, global: "global" in globalThis });
`;

beforeAll(async () => {
  await build(["code"]);
  write("package.json", JSON.stringify({ name: "fresh", private: true, type: "module" }));
  write("index.html", html);
  write("main.ts", page);
  const packed = await npm(root, "pack", "--json", "--pack-destination", project);
  const [{ filename }] = JSON.parse(packed.stdout);
  await npm(project, "install", "--prefer-offline", "--no-audit", "--no-fund", filename);
  symlinkSync(join(root, "node_modules/vite"), join(project, "node_modules/vite"), "dir");
}, 120_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe("in a fresh Vite project", { timeout: 120_000 }, () => {
  let browser: Browser;
  let relay: Relay;
  let relayServer: Server;
  beforeAll(async () => {
    browser = await chromium.launch(launchOptions());
    relayServer = createHttpServer();
    relay = attachRelay(relayServer, { path: "/relay" });
    relayServer.listen(0, "127.0.0.1");
    await once(relayServer, "listening");
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await relay.close();
    relayServer.close();
  });

  const plain: vite.InlineConfig = {
    root: project,
    configFile: false,
    logLevel: "silent",
    build: { target: "es2022" }, // the page awaits at the top level
  };

  test("vite build", async () => {
    const warnings: string[] = [];
    const customLogger = {
      ...vite.createLogger("silent"),
      warn: (text: string) => warnings.push(text),
    };
    await vite.build({ ...plain, customLogger });
    expect(warnings).toEqual([]);
    const server = await vite.preview({ ...plain, preview: { port: 0, host: "localhost" } });
    const { port } = server.httpServer.address() as AddressInfo;
    await opensARoom(port);
    await server.close();
  });

  test("vite dev", async () => {
    const server = await vite.createServer({ ...plain, server: { port: 0, host: "localhost" } });
    await server.listen();
    const { port } = (server.httpServer as Server).address() as AddressInfo;
    await opensARoom(port);
    await server.close();
  });

  async function opensARoom(port: number): Promise<void> {
    const errors: string[] = [];
    const page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    const relayPort = (relayServer.address() as AddressInfo).port;
    await page.goto(`http://localhost:${port}/?relay=ws://localhost:${relayPort}/relay`);
    await page
      .waitForFunction(() => document.title !== "opening", undefined, { timeout: 60_000 })
      .catch(() => undefined);
    const title = await page.title();
    await page.close();
    expect({ errors, title }).toEqual({
      errors: [],
      title: JSON.stringify({ cards: ["first"], refused: "empty", global: false }),
    });
  }
});

describe("in Node", { timeout: 60_000 }, () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // simple-peer asks for `window` when it is loaded, which is why logboom loads logboom/webrtc on demand; a worker's program
  // runs in its worker.
  const others = ["./webrtc", "./opfs-worker", "./package.json"];
  const names = Object.keys(exports)
    .filter((subPath) => !others.includes(subPath))
    .map((subPath) => `logboom${subPath.slice(1)}`);

  test.each(names)(
    "importing %s touches nothing of a browser and leaves nothing running",
    async (name) => {
      const traps = `
      for (const name of ["navigator", "window", "document", "location", "indexedDB", "RTCPeerConnection", "BroadcastChannel",
        "WebSocket", "Worker", "localStorage", "sessionStorage"]) {
        Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error("touched " + name); } });
      }
      const names = Object.keys(await import("${name}"));
      console.log(names.length > 0 ? "imported" : "nothing in it");
    `;
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", traps], {
        cwd: project,
      });
      expect(stdout).toBe("imported\n");
    },
  );
});

describe("its command", { timeout: 60_000 }, () => {
  const logboom = join(project, "node_modules/.bin/logboom");

  test("logboom relay relays", async () => {
    const child = spawn(logboom, ["relay", "--port", "0"], { cwd: project });
    const [line] = await once(child.stdout, "data");
    const url = /^Relaying at (ws:\S+)\n$/.exec(`${line}`)?.[1];
    const socket = new WebSocket(`${url}`);
    await once(socket, "open");
    child.kill("SIGTERM");
    await once(socket, "close");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("logboom inspect tells a store from an empty folder", async () => {
    const directory = join(project, "store");
    mkdirSync(directory);
    const empty = await run(logboom, ["inspect", directory]).catch((error) => error);
    expect(empty.code).toBe(1);
    expect(empty.stdout).toContain("no log here");
    const store = await openFileStore({ directory });
    await store.storage.close();
    const { stdout } = await run(logboom, ["inspect", directory]);
    expect(stdout).toContain("WAL metadata:");
  });

  /** Thirty entries in some segments, a snapshot at the tenth, left in order. */
  async function livedIn(name: string): Promise<{ directory: string; segments: string[] }> {
    const directory = join(project, name);
    const store = await openFileStore({ directory, segmentBytes: 1_000 });
    const { storage, snapshots } = store;
    await storage.load();
    for (let index = 1; index <= 30; index++) {
      const data = new TextEncoder().encode(`command ${index} `.padEnd(60, "."));
      const entry = { term: 2, index, type: "EntryNormal", data, unknown: undefined } as const;
      const hardState = { term: 2, vote: 11, commit: index };
      await storage.append({ hardState, snapshot: undefined, entries: [entry], sync: true });
    }
    const members = { voters: [11, 12], learners: [13], votersOutgoing: [], learnersNext: [] };
    const metadata = { index: 10, term: 2, confState: { ...members, autoLeave: false } };
    const sink = await snapshots.write(metadata);
    await sink.write(new Uint8Array(500));
    await sink.finish();
    await storage.compact(metadata, 0);
    await storage.close();
    const wal = join(directory, "member/wal");
    const segments = readdirSync(wal).filter((file) => file.endsWith(".wal"));
    return { directory, segments: segments.sort().map((file) => join(wal, file)) };
  }

  const inspect = async (...args: string[]): Promise<{ code: number; stdout: string }> => {
    const { code = 0, stdout } = await run(logboom, ["inspect", ...args]).catch((error) => error);
    return { code, stdout };
  };

  test("logboom inspect prints metadata, HardState, snapshots and entries, and changes nothing", async () => {
    const { directory, segments } = await livedIn("lived");
    expect(segments.length).toBeGreaterThan(2);
    const before = segments.map((file) => readFileSync(file));
    const { code, stdout } = await inspect(directory);
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "Snapshot:",
      "term=2 index=10 voters=[b c] learners=[d] bytes=500",
    ]);
    expect(lines).toContain("nodeID=0 clusterID=0 term=2 commitIndex=30 vote=b");
    expect(lines).toContain(`WAL segments: ${segments.length}`);
    expect(lines).toContain("WAL entries: 30");
    expect(lines).toContain("lastIndex=30");
    const entries = lines.slice(lines.indexOf("term\t     index\ttype\tdata") + 1, -1);
    expect(entries).toHaveLength(30);
    expect(entries[6]).toMatch(/^ {3}2\t {9}7\tnorm\tcommand 7 \.+$/);
    expect(segments.map((file) => readFileSync(file))).toEqual(before);
    expect(await inspect(directory, "--verify")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/segments, last entry 30, commit 30, 1 snapshots: whole\n$/),
    });
  });

  const damages: [name: string, damage: (bytes: Buffer, at: number) => Buffer][] = [
    ["a flipped byte", (bytes, at) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1)],
    ["a truncated segment", (bytes, at) => bytes.subarray(0, at)],
    ["zeros", (bytes, at) => bytes.fill(0, at, at + 64)],
  ];
  test.each(damages)("logboom inspect --verify: %s, by file and offset", async (name, damage) => {
    const { directory, segments } = await livedIn(name);
    for (const file of segments) {
      const whole = readFileSync(file);
      // In the middle of what is written: behind it a segment is zeros.
      const at = whole.findLastIndex((byte) => byte !== 0) >> 1;
      writeFileSync(file, damage(Buffer.from(whole), at));
      const { code, stdout } = await inspect(directory, "--verify");
      const [, offset] =
        /^(\d+)/.exec(stdout.split(`${file} is damaged at offset `)[1] ?? "") ?? [];
      expect({ code, damaged: Number(offset) > at - 200 && Number(offset) <= at }, stdout).toEqual({
        code: 1,
        damaged: true,
      });
      expect((await inspect(directory)).code).toBe(1);
      writeFileSync(file, whole);
    }
    expect((await inspect(directory, "--verify")).code).toBe(0);
  });

  test("logboom --help, of each command too, says how and ends well", async () => {
    for (const args of [["--help"], ["inspect", "--help"], ["inspect", "-h"]]) {
      const { stdout } = await run(logboom, args);
      expect(stdout).toContain("logboom inspect DIRECTORY");
      expect(stdout).toContain("--verify");
    }
  });

  test.each([
    { given: "", says: "a command is missing" },
    { given: "rely", says: 'there is no command "rely"' },
    { given: "relay --prot 1", says: "Unknown option '--prot'" },
    { given: "relay --port x", says: 'must be a number from 0 to 65535, got "x"' },
    { given: "relay --path x", says: '--path must start with a slash, got "x"' },
    { given: "inspect", says: "inspect takes one directory, got 0" },
    { given: "inspect one two", says: "inspect takes one directory, got 2" },
    { given: "inspect /nowhere", says: "there is no directory /nowhere" },
    { given: "inspect /etc/hosts --verify", says: "/etc/hosts is no directory" },
    { given: "inspect /nowhere --all", says: "Unknown option '--all'" },
    { given: "relay --host 192.0.2.1", says: "of 192.0.2.1 cannot be used" },
  ])("logboom $given: $says", async ({ given, says }) => {
    const { code, stderr } = await run(logboom, given.split(" ").filter(Boolean)).catch((e) => e);
    expect(code).toBe(1);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe("types", { timeout: 120_000 }, () => {
  test("a strict project without our development packages compiles", async () => {
    const compilerOptions = {
      target: "ES2022",
      module: "ESNext",
      moduleResolution: "Bundler",
      lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"],
      types: [],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["main.ts"] }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", project]).catch((error) => error);
    expect(stdout).toBe("");
  });
});

function write(name: string, text: string): void {
  mkdirSync(join(project, name, ".."), { recursive: true });
  writeFileSync(join(project, name), text);
}

function npm(cwd: string, ...args: string[]): Promise<{ stdout: string }> {
  return run(process.execPath, [npmCli(), ...args], { cwd });
}
