/**
 * SimFiles: the real log in files (storage/wal-store.ts) over a disk in memory, whose calls take time and fail when told to.
 *
 * A call takes effect when it begins or when it ends, by chance, so that a crash in between finds it done or not; what was not flushed
 * survives sector by sector (disk.ts).
 */

import { type Directory, type DirectoryFile, zeroBytes } from "../storage/directory.js";
import type { OpenedStore, StoreOpenOptions } from "../storage/storage.js";
import { openWalStore } from "../storage/wal-store.js";
import { createMemoryDisk, type DiskCall, type MemoryDisk } from "./disk.js";
import { type Backup, SimMedium } from "./sim-medium.js";
import { chance, exponential } from "./sim-options.js";
import type { SimProcess } from "./sim-process.js";

/** What of the mean time of a write each of its calls takes: a write is one call, its flush another. */
const partOfWrite = 0.5;

export class SimFiles extends SimMedium {
  #disk: MemoryDisk = createMemoryDisk();
  /** Of the latest opening. */
  #owner: object | undefined;
  /** The files whose flushes lied, and were not flushed since. */
  readonly #lied = new Set<DirectoryFile>();

  async open(process: SimProcess, options: StoreOpenOptions): Promise<OpenedStore> {
    const owner = {};
    this.#owner = owner;
    const { random, segmentBytes } = this.options;
    return await openWalStore(
      this.#directory(process, owner, this.#disk.directory),
      { segmentBytes, segmentsKept: 2 },
      {
        ...options,
        trailingEntries: 5,
        randomBytes: (length) => new Uint8Array(length).map(() => random.below(256)),
      },
    );
  }

  backUp(): Backup {
    const content = this.#disk.crash("none", this.options.random);
    return { image: this.kept.copy(), content };
  }

  restore({ content }: Backup): void {
    this.#disk = (content as MemoryDisk).copy();
  }

  rot(): void {
    const { random } = this.options;
    const paths = this.#disk.paths().filter((path) => this.#disk.bytes(path).length > 0);
    const path = paths[random.below(paths.length)];
    if (path === undefined) return;
    const bytes = this.#disk.bytes(path).slice();
    // Most of a segment is zeros that nobody reads: the part that says something is hit more often.
    let used = bytes.length;
    while (used > 1 && bytes[used - 1] === 0) used--;
    const at = random.below(chance(random, 0.9) ? used : bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    this.#disk.damage(path, bytes);
  }

  protected flushAll(): void {
    for (const file of this.#lied) void file.sync();
    this.#lied.clear();
  }

  protected lose(survives: number): void {
    const kind = survives === 0 ? "none" : survives === 1 ? "all" : "some";
    this.#disk = this.#disk.crash(kind, this.options.random);
    this.#lied.clear();
    this.#owner = undefined;
  }

  // — calls —

  /** @param half  what a call that fails may have done all the same */
  async #call<T>(
    process: SimProcess,
    kind: DiskCall,
    run: () => Promise<T>,
    half: () => Promise<void> = async () => {},
  ): Promise<T> {
    const { random, meanMs } = this.options;
    if ((kind === "write" || kind === "sync") && this.failNext) await this.#fail(process, half);
    const mean = meanMs * partOfWrite;
    const ms = (mean === 0 ? 0 : exponential(random, mean)) + this.slowMs * partOfWrite;
    if (ms === 0) return await run();
    const early = chance(random, 0.5);
    const done = early ? await run() : undefined;
    await new Promise<void>((resolve) => process.after(ms, resolve));
    return early ? (done as T) : await run();
  }

  async #fail(process: SimProcess, half: () => Promise<void>): Promise<never> {
    this.failNext = false;
    this.failing = true;
    if (chance(this.options.random, 0.5)) await half();
    await new Promise<void>((resolve) => process.after(1, resolve));
    const code = this.options.random.below(2) === 0 ? "EIO" : "ENOSPC";
    this.options.sometimes(`disk says ${code}`);
    throw Object.assign(new Error(`${code}: as the system says it`), { code });
  }

  #directory(process: SimProcess, owner: object, inner: Directory): Directory {
    const call = <T>(kind: DiskCall, run: () => Promise<T>): Promise<T> =>
      this.#call(process, kind, run);
    return {
      ...inner,
      slowRename: this.options.slowRename,
      open: async (path, mode) => {
        const file = await inner.open(path, mode);
        return mode === "read" ? file : this.#file(process, path, file);
      },
      rename: (from, to) => call("rename", () => inner.rename(from, to)),
      remove: (path) => call("remove", () => inner.remove(path)),
      sync: (path) => call("syncFolder", () => inner.sync(path)),
      owned: () => this.#owner === owner,
    };
  }

  #file(process: SimProcess, path: string, inner: DirectoryFile): DirectoryFile {
    const isLog = path.endsWith(".wal");
    const file: DirectoryFile = {
      ...inner,
      write: (at, bytes) =>
        this.#call(
          process,
          "write",
          () => inner.write(at, bytes),
          () => inner.write(at, bytes.subarray(0, bytes.length >> 1)),
        ),
      truncate: (size) => this.#call(process, "truncate", () => inner.truncate(size)),
      sync: () => this.#call(process, "sync", () => this.#sync(inner, isLog)),
      async append(at, bytes, zeros = 0) {
        await file.write(at, bytes);
        if (zeros > 0) await file.write(at + bytes.length, zeroBytes(zeros));
        await file.sync();
      },
    };
    return file;
  }

  async #sync(file: DirectoryFile, isLog: boolean): Promise<void> {
    if (isLog && this.lieNext) {
      this.lieNext = false;
      this.#lied.add(file);
      this.lie ??= this.flushed.copy();
      this.options.sometimes("a flush lied");
      return;
    }
    await file.sync();
    // Flushed once more, and truly: what the lie covered is safe.
    if (this.#lied.delete(file) && this.#lied.size === 0) this.lie = undefined;
  }
}
