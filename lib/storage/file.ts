/**
 * Files: the store of a Node process, etcd's log and snapshots in a directory.
 *
 * The log's code is shared with OPFS (wal-store.ts); this file is the file system: writes at a position, fdatasync, rename,
 * and flushing folders, without which a new name may be gone after a power cut. Calls that wait for the disk run on Node's
 * threads, so heartbeats go on past a slow one.
 */
import * as fs from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isLogboomError, LogboomError } from "../base/errors.js";
import { type Directory, type DirectoryFile, zeroBytes } from "./directory.js";
import { storageFailed } from "./lifeline.js";
import { type FileLock, lockFile } from "./lock-file.js";
import type { OpenedStore } from "./storage.js";
import { fileLimits, openWalStore, type WalStoreOptions } from "./wal-store.js";

export interface FileStoreOptions extends WalStoreOptions {
  /** Made if need be, mode 0700. One store per directory. */
  readonly directory: string;
}

/**
 * Opens the store in a directory, creating it when there is none.
 *
 * @throws LogboomError `BAD_CONFIG` · `STORAGE_LOCKED` (another process has it open: names it) · `STORAGE_FAILED` (damaged: names
 *         file and offset; or the disk failed, or lets no store be there) · `STORE_WENT_BACK` (below `notBelow`)
 */
export async function openFileStore(options: FileStoreOptions): Promise<OpenedStore> {
  return await openWalStore(await openNodeDirectory(options.directory), fileLimits, options);
}

/** Takes the directory for this process. @throws LogboomError `BAD_CONFIG`, `STORAGE_LOCKED`, `STORAGE_FAILED` */
export async function openNodeDirectory(path: string): Promise<Directory> {
  if (typeof path !== "string" || path === "") {
    throw new LogboomError("BAD_CONFIG", `directory must be a path, got ${JSON.stringify(path)}`);
  }
  const root = resolve(path);
  try {
    await makeDurable(root);
    return nodeDirectory(root, lockFile(root));
  } catch (error) {
    if (isLogboomError(error)) throw error;
    throw storageFailed(`${root} cannot hold a store`, error);
  }
}

/** Without the lock, for those who only read. */
export function readNodeDirectory(path: string): Directory {
  return nodeDirectory(resolve(path), undefined);
}

function nodeDirectory(root: string, lock: FileLock | undefined): Directory {
  const open = new Set<OpenFile>();
  const at = (path: string): string => join(root, path);
  return {
    name: root,
    async list(path) {
      try {
        return await readdir(at(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      }
    },
    makeDirectory: (path) => makeDurable(at(path)),
    async open(path, mode) {
      const flags = mode === "read" ? "r" : mode === "existing" ? "r+" : "w+";
      let name = at(path);
      const descriptor = await call<number>((done) => fs.open(name, flags, 0o600, done));
      const file = { descriptor };
      open.add(file);
      return {
        ...nodeFile(file, open),
        async moveTo(to) {
          await rename(name, at(to));
          name = at(to);
        },
      };
    },
    rename: (from, to) => rename(at(from), at(to)),
    remove: (path) => rm(at(path), { force: true }),
    async setAside(path) {
      let target = `${at(path)}.broken`;
      for (let n = 1; fs.existsSync(target); n++) target = `${at(path)}.broken.${n}`;
      await rename(at(path), target);
      await syncFolder(dirname(target));
    },
    sync: (path) => syncFolder(at(path)),
    owned: () => lock?.held() ?? false,
    soon(work) {
      setImmediate(work);
    },
    async release() {
      const left = [...open];
      open.clear();
      for (const { descriptor } of left) fs.closeSync(descriptor);
      lock?.release();
    },
  };
}

interface OpenFile {
  readonly descriptor: number;
}

function nodeFile(file: OpenFile, open: Set<OpenFile>): Omit<DirectoryFile, "moveTo"> {
  // The number of a closed file may be another file's: nothing may be done by it any more.
  const use = (): number => {
    if (!open.has(file)) throw new Error("the file is closed");
    return file.descriptor;
  };
  const write = async (to: number, bytes: Uint8Array): Promise<void> => {
    let written = 0;
    while (written < bytes.length) {
      const count = await call<number>((done) =>
        fs.write(use(), bytes, written, bytes.length - written, to + written, done),
      );
      if (count === 0) throw new Error(`nothing of ${bytes.length - written} bytes was written`);
      written += count;
    }
  };
  const sync = (): Promise<void> => call((done) => fs.fdatasync(use(), done));
  return {
    async size() {
      return (await call<fs.Stats>((done) => fs.fstat(use(), done))).size;
    },
    async readInto(target, from) {
      let filled = 0;
      while (filled < target.length) {
        const count = await call<number>((done) =>
          fs.read(use(), target, filled, target.length - filled, from + filled, done),
        );
        if (count === 0) break;
        filled += count;
      }
      return filled;
    },
    write,
    async append(to, bytes, zeros = 0) {
      await write(to, bytes);
      if (zeros > 0) await write(to + bytes.length, zeroBytes(zeros));
      await sync();
    },
    note(to, bytes) {
      fs.writeSync(use(), bytes, 0, bytes.length, to);
    },
    truncate: (size) => call((done) => fs.ftruncate(use(), size, done)),
    sync,
    async close() {
      if (open.delete(file)) await call((done) => fs.close(file.descriptor, done));
    },
  };
}

/** Makes a folder, and every one above that was missing, durable in its parent. */
async function makeDurable(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}

/** Windows has no way to flush a folder, and needs none: NTFS keeps a journal of names. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const descriptor = await call<number>((done) => fs.open(path, "r", done));
  try {
    await call((done) => fs.fsync(descriptor, done));
  } finally {
    fs.closeSync(descriptor);
  }
}

/** A callback of `fs` as a promise, without the wrappers of `fs/promises`. */
function call<T = void>(run: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => (error === null ? resolve(value as T) : reject(error)));
  });
}
