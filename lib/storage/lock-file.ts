/**
 * Lock file: one process per directory, on systems where Node has no `flock`.
 *
 * The lock is made by linking a file that already says who owns it, so it never exists half-written. It is stale when its
 * process is gone, or is another process with the same number (Linux: the start time tells); a stale one is moved away, and whoever
 * moved it checks that it moved what it saw. A lock from another host or container is never called stale: it cannot be
 * known there, and the error says which file to delete.
 */
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { LogboomError } from "../base/errors.js";

export interface FileLock {
  /** False once somebody removed or replaced it. */
  held(): boolean;
  release(): void;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Tells two processes with one number apart; empty where the system does not say. */
  readonly started: string;
}

/** Locks held by this process: another thread or copy of the module is caught by the file itself. */
const heldHere = new Set<string>();
let counter = 0;

/** @throws LogboomError `STORAGE_LOCKED` naming the owner and the file */
export function lockFile(folder: string): FileLock {
  const path = join(folder, "lock");
  const mine = join(folder, `lock.${process.pid}.${counter++}`);
  writeFileSync(mine, JSON.stringify(describeSelf()), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (tryLink(mine, path)) {
        const descriptor = openSync(path, "r");
        heldHere.add(path);
        return held(path, descriptor);
      }
      removeIfStale(path, folder);
    }
    throw locked(path, undefined);
  } finally {
    unlinkSync(mine);
  }
}

function held(path: string, descriptor: number): FileLock {
  let open = true;
  return {
    held: () => open && fstatSync(descriptor).nlink > 0,
    release() {
      if (!open) return;
      const ours = fstatSync(descriptor).nlink > 0;
      open = false;
      closeSync(descriptor);
      heldHere.delete(path);
      if (ours) unlinkSync(path);
    },
  };
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function removeIfStale(path: string, folder: string): void {
  const seen = readText(path);
  if (seen === undefined) return;
  const owner = parseOwner(seen);
  if (owner === undefined || !isStale(owner, path)) throw locked(path, owner);
  const aside = join(folder, `lock.stale.${process.pid}.${counter++}`);
  try {
    renameSync(path, aside);
  } catch {
    // Somebody else was quicker; the next attempt shows who holds it now.
    return;
  }
  const moved = readText(aside);
  // We moved a lock that was taken meanwhile: put it back.
  if (moved !== seen) tryLink(aside, path);
  unlinkSync(aside);
}

function isStale(owner: Owner, path: string): boolean {
  if (owner.host !== hostname()) return false;
  if (owner.pid === process.pid && owner.started === startOf("self")) return !heldHere.has(path);
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const started = startOf(String(owner.pid));
  return owner.started !== "" && started !== "" && owner.started !== started;
}

function describeSelf(): Owner {
  return { pid: process.pid, host: hostname(), started: startOf("self") };
}

/** Boot id and start time on Linux: field 22 of /proc/pid/stat, counted after the name, which may hold blanks. */
function startOf(pid: string): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${boot} ${fields[19] ?? ""}`;
  } catch {
    return "";
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Owner>;
    if (!Number.isSafeInteger(pid) || pid === undefined || pid < 1) return undefined;
    return typeof host === "string" && typeof started === "string"
      ? { pid, host, started }
      : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function locked(path: string, owner: Owner | undefined): LogboomError {
  if (owner === undefined) {
    return new LogboomError(
      "STORAGE_LOCKED",
      `${path} is no lock that can be read: delete it once no process uses this directory`,
    );
  }
  const where =
    owner.host === hostname()
      ? `process ${owner.pid}${owner.pid === process.pid ? " (this one)" : ""} has it open`
      : `process ${owner.pid} on ${owner.host} has it open; if that is gone for good, delete ${path}`;
  return new LogboomError(
    "STORAGE_LOCKED",
    `the store in ${path.slice(0, -5)} is locked: ${where}`,
  );
}
