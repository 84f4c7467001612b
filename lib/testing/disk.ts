/**
 * A disk in memory that loses what was not flushed, tears writes, and fails when told to.
 *
 * Every call is an event with a number. A plan may let one fail (an error as the system gives it, a short write) or may end
 * the process there: before the call, within it, or after it. `crash` then makes the disk a machine finds when it comes back:
 * flushed bytes are there, of the others any sectors may be; names that no folder flush covered may be the old ones.
 *
 * Deterministic: what survives is decided by the random source passed in.
 */
import type { Random } from "../base/random.js";
import { type Directory, type DirectoryFile, zeroBytes } from "../storage/directory.js";

const sectorBytes = 512;

export type DiskCall = "open" | "write" | "truncate" | "sync" | "rename" | "remove" | "syncFolder";

/** What becomes of one call. */
export type DiskFault =
  | { readonly kind: "error"; readonly code: "EIO" | "ENOSPC" }
  /** Half of the bytes are written, then ENOSPC. */
  | { readonly kind: "short" }
  /** A flush fails with EIO, and what it was to flush is gone: Linux drops the pages and reports once. */
  | { readonly kind: "dropped" }
  /** The process ends: nothing of this call happens, half of it, or all of it. */
  | { readonly kind: "crash"; readonly when: "before" | "within" | "after" };

export interface DiskPlan {
  /** Called for each call, numbered from 1. */
  fault(number: number, call: DiskCall, path: string): DiskFault | undefined;
}

/** One file's bytes, whatever it is called. */
interface Inode {
  flushed: Uint8Array<ArrayBuffer>;
  current: Uint8Array<ArrayBuffer>;
}

type Names = Map<string, Inode>;

/** The process has ended: nothing is answered any more. */
export class Crashed extends Error {}

export interface MemoryDisk {
  readonly directory: Directory;
  /** Calls so far. */
  readonly calls: number;
  /**
   * The disk after the machine went down. `"all"`: the process alone died, the system kept everything; `"none"`: everything that
   * was not flushed is gone; `"some"`: sectors and names survive by chance.
   */
  crash(survives: "all" | "none" | "some", random: Random): MemoryDisk;
  /** The bytes of a file, to look at or to damage. */
  bytes(path: string): Uint8Array<ArrayBuffer>;
  /** Replaces a file's bytes, flushed. */
  damage(path: string, bytes: Uint8Array<ArrayBuffer>): void;
  remove(path: string): void;
  paths(): readonly string[];
  /** Default: nothing fails on it. */
  copy(plan?: DiskPlan): MemoryDisk;
}

export function createMemoryDisk(plan: DiskPlan = { fault: () => undefined }): MemoryDisk {
  return makeDisk(new Map(), new Map(), plan);
}

function makeDisk(current: Names, flushed: Names, plan: DiskPlan): MemoryDisk {
  const disk = { current, flushed, calls: 0, crashed: false };

  /** Runs one call under the plan; `half` is what a call does that is interrupted, `drop` what a flush does that fails. */
  const call: Call = (kind, path, whole, half, drop = half) => {
    if (disk.crashed) throw new Crashed("the process has ended");
    disk.calls++;
    const fault = plan.fault(disk.calls, kind, path);
    if (fault === undefined) {
      whole();
      return;
    }
    if (fault.kind === "error") throw systemError(fault.code);
    if (fault.kind === "short") {
      half();
      throw systemError("ENOSPC");
    }
    if (fault.kind === "dropped") {
      drop();
      throw systemError("EIO");
    }
    disk.crashed = true;
    if (fault.when === "within") half();
    if (fault.when === "after") whole();
    throw new Crashed(`the process ended at call ${disk.calls}, ${kind} ${path}`);
  };

  const nothing = (): void => {};
  const find = (path: string): Inode => {
    const inode = disk.current.get(path);
    if (inode === undefined) throw systemError("ENOENT");
    return inode;
  };

  const directory: Directory = {
    name: "disk",
    async list(path) {
      if (disk.crashed) throw new Crashed("the process has ended");
      return namesIn(disk.current, path);
    },
    async makeDirectory() {},
    async open(path, mode) {
      if (disk.crashed) throw new Crashed("the process has ended");
      if (mode === "create") {
        const create = (): void => {
          disk.current.set(path, { flushed: new Uint8Array(0), current: new Uint8Array(0) });
        };
        call("open", path, create, nothing);
      }
      let name = path;
      const moveTo = async (to: string): Promise<void> => {
        await directory.rename(name, to);
        name = to;
      };
      const onFile: FileCall = (kind, ...rest) => call(kind, name, ...rest);
      return openFile(find(path), onFile, moveTo);
    },
    async rename(from, to) {
      const move = (): void => {
        const inode = find(from);
        disk.current.delete(from);
        disk.current.set(to, inode);
      };
      call("rename", from, move, nothing);
    },
    async remove(path) {
      call("remove", path, () => disk.current.delete(path), nothing);
    },
    async setAside(path) {
      const remove = (): void => {
        for (const names of [disk.current, disk.flushed]) {
          for (const name of [...names.keys()]) {
            if (name.startsWith(`${path}/`)) names.delete(name);
          }
        }
      };
      call("rename", path, remove, nothing);
    },
    async sync(path) {
      const flush = (): void => {
        for (const name of namesIn(disk.flushed, path)) disk.flushed.delete(join(path, name));
        for (const name of namesIn(disk.current, path)) {
          const inode = disk.current.get(join(path, name));
          if (inode !== undefined) disk.flushed.set(join(path, name), inode);
        }
      };
      call("syncFolder", path, flush, nothing);
    },
    owned: () => true,
    soon(work) {
      void Promise.resolve().then(() => {
        if (!disk.crashed) work();
      });
    },
    async release() {},
  };

  return {
    directory,
    get calls() {
      return disk.calls;
    },
    crash(survives, random) {
      const names = survivingNames(disk.current, disk.flushed, survives, random);
      const inodes = new Map<Inode, Inode>();
      const after: Names = new Map();
      for (const [path, inode] of names) {
        const bytes = inodes.get(inode)?.current ?? survivingBytes(inode, survives, random);
        const revived = inodes.get(inode) ?? { flushed: bytes.slice(), current: bytes };
        inodes.set(inode, revived);
        after.set(path, revived);
      }
      return makeDisk(after, new Map(after), { fault: () => undefined });
    },
    bytes: (path) => find(path).current,
    damage(path, bytes) {
      const inode = { flushed: bytes.slice(), current: bytes };
      disk.current.set(path, inode);
      disk.flushed.set(path, inode);
    },
    remove(path) {
      disk.current.delete(path);
      disk.flushed.delete(path);
    },
    paths: () => [...disk.current.keys()].sort(),
    copy(copyPlan = { fault: () => undefined }) {
      const copies: Names = new Map();
      for (const [path, { current: bytes }] of disk.current) {
        copies.set(path, { flushed: bytes.slice(), current: bytes.slice() });
      }
      return makeDisk(copies, new Map(copies), copyPlan);
    },
  };
}

type Call = (
  kind: DiskCall,
  path: string,
  whole: () => void,
  half: () => void,
  drop?: () => void,
) => void;

/** A call of a file, whatever its name is by then. */
type FileCall = (kind: DiskCall, whole: () => void, half: () => void, drop?: () => void) => void;

function openFile(inode: Inode, call: FileCall, moveTo: DirectoryFile["moveTo"]): DirectoryFile {
  const put = (at: number, bytes: Uint8Array): void => {
    const end = at + bytes.length;
    if (end > inode.current.length) inode.current = resized(inode.current, end);
    inode.current.set(bytes, at);
  };
  const file: DirectoryFile = {
    size: async () => inode.current.length,
    async readInto(target, at) {
      const part = inode.current.subarray(at, at + target.length);
      target.set(part);
      return part.length;
    },
    async write(at, bytes) {
      const half = bytes.subarray(0, bytes.length >> 1);
      call(
        "write",
        () => put(at, bytes),
        () => put(at, half),
      );
    },
    async append(at, bytes, zeros = 0) {
      await file.write(at, bytes);
      if (zeros > 0) await file.write(at + bytes.length, zeroBytes(zeros));
      await file.sync();
    },
    note(at, bytes) {
      call(
        "write",
        () => put(at, bytes),
        () => {},
      );
    },
    async truncate(size) {
      const cut = (): void => {
        inode.current = resized(inode.current, size);
      };
      call("truncate", cut, () => {});
    },
    async sync() {
      const flush = (): void => {
        inode.flushed = inode.current.slice();
      };
      const drop = (): void => {
        inode.current = inode.flushed.slice();
      };
      call("sync", flush, () => {}, drop);
    },
    moveTo,
    async close() {},
  };
  return file;
}

function survivingNames(
  current: Names,
  flushed: Names,
  survives: "all" | "none" | "some",
  random: Random,
): Names {
  if (survives === "all") return current;
  if (survives === "none") return flushed;
  // Names of one folder change in order on every file system we know: old or new, folder by folder.
  const folders = new Set([...current.keys(), ...flushed.keys()].map(folderOf));
  const names: Names = new Map();
  for (const folder of folders) {
    const source = random.below(2) === 0 ? current : flushed;
    for (const [path, inode] of source) if (folderOf(path) === folder) names.set(path, inode);
  }
  return names;
}

function survivingBytes(
  inode: Inode,
  survives: "all" | "none" | "some",
  random: Random,
): Uint8Array<ArrayBuffer> {
  if (survives === "all") return inode.current.slice();
  if (survives === "none") return inode.flushed.slice();
  const length = random.below(2) === 0 ? inode.current.length : inode.flushed.length;
  const bytes = resized(inode.flushed, length);
  for (let at = 0; at < length; at += sectorBytes) {
    if (random.below(2) === 0) continue;
    const sector = inode.current.subarray(at, Math.min(at + sectorBytes, length));
    bytes.set(sector, at);
  }
  return bytes;
}

function resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const after = new Uint8Array(length);
  after.set(bytes.subarray(0, length));
  return after;
}

function namesIn(names: Names, folder: string): string[] {
  const prefix = folder === "" ? "" : `${folder}/`;
  const found = [...names.keys()].filter((path) => path.startsWith(prefix));
  return [...new Set(found.map((path) => path.slice(prefix.length).split("/")[0] ?? ""))];
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code });
}
