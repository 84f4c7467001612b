import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFileStore } from "../../lib/storage/file.js";
import { lockFile } from "../../lib/storage/lock-file.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "logboom-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const leave = (owner: unknown) => writeFileSync(join(folder, "lock"), JSON.stringify(owner));

describe("the lock file", () => {
  test("keeps a second opener out by name, and lets one in after its release", () => {
    const first = lockFile(folder);
    expect(() => lockFile(folder)).toThrow(`process ${process.pid} (this one) has it open`);
    expect(first.held()).toBe(true);
    first.release();
    first.release();
    const second = lockFile(folder);
    expect(first.held()).toBe(false);
    second.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a lock whose process is gone is taken over", () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    leave({ pid, host: hostname(), started: "" });
    lockFile(folder).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a lock of another process that lives is not", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    leave({ pid: child.pid, host: hostname(), started: "" });
    expect(() => lockFile(folder)).toThrow(`process ${child.pid} has it open`);
    child.kill();
  });

  test.runIf(process.platform === "linux")(
    "a process number that was used again is told by its start",
    () => {
      leave({ pid: process.ppid, host: hostname(), started: "another boot 1" });
      lockFile(folder).release();
    },
  );

  test("a lock from another host is never called stale", () => {
    leave({ pid: 1, host: "elsewhere", started: "" });
    expect(() => lockFile(folder)).toThrow(/process 1 on elsewhere .* delete .*lock/);
  });

  test("a lock that cannot be read is not removed", () => {
    writeFileSync(join(folder, "lock"), "?");
    expect(() => lockFile(folder)).toThrow(/no lock that can be read/);
  });

  test("one that was taken away stops the writer", async () => {
    const store = await openFileStore({ directory: folder });
    await store.storage.load();
    rmSync(join(folder, "lock"));
    const entry = {
      term: 1,
      index: 1,
      type: "EntryNormal",
      data: new Uint8Array(1),
      unknown: undefined,
    } as const;
    const write = { hardState: undefined, snapshot: undefined, entries: [entry], sync: true };
    await expect(store.storage.append(write)).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    await store.storage.close().catch(() => {});
  });
});
