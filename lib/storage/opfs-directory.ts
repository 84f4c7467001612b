/**
 * The folder of a store in the origin's private file system, inside a dedicated worker.
 *
 * Synchronous access handles are what makes a flush possible here, and exist in workers alone. A handle is exclusive: the
 * one on `lock` keeps every other page out for as long as this worker lives, frozen or not, and the system takes it back
 * when the worker dies. There is no way to flush a folder; the browser keeps names in its own database.
 */
import { LogboomError } from "../base/errors.js";
import type { Directory, DirectoryFile } from "./directory.js";

/** What TypeScript's library leaves out. */
interface SyncAccessHandle {
  getSize(): number;
  read(target: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

interface FileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
  move?(parent: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** What of a Directory is carried out here. */
export interface OpfsFolder
  extends Pick<Directory, "list" | "makeDirectory" | "rename" | "remove" | "setAside" | "release"> {
  open(path: string, mode: "existing" | "create" | "read"): Promise<OpfsFile>;
}

export interface OpfsFile extends Omit<DirectoryFile, "append"> {
  /** At once: a promise more is time, and this is what everybody waits for. */
  append(at: number, bytes: Uint8Array): void;
}

/**
 * Takes the folder of the store `name` for this worker.
 *
 * @throws LogboomError `STORAGE_LOCKED` (another page has it open) · `NO_STORAGE` (no private file system here)
 */
export async function openOpfsFolder(name: string): Promise<OpfsFolder> {
  const root = await storeFolder(name, true);
  const lock = await takeLock(root, name);
  const open = new Set<SyncAccessHandle>();
  let held = true;
  /** Folders found so far: to walk to one is a question to the browser for each step. Nobody else moves them while the lock is held. */
  const folders = new Map<string, FileSystemDirectoryHandle>([["", root]]);
  const folder = async (path: string, create = false): Promise<FileSystemDirectoryHandle> => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const found = await walk(root, path.split("/"), create);
    folders.set(path, found);
    return found;
  };
  return {
    async list(path) {
      try {
        const names: string[] = [];
        for await (const key of keysOf(await folder(path))) names.push(key);
        return names;
      } catch (error) {
        if (isNotFound(error)) return [];
        throw error;
      }
    },
    async makeDirectory(path) {
      await folder(path, true);
    },
    async open(path, mode) {
      const [parent, file] = split(path);
      const inside = await folder(parent);
      const handle = (await inside.getFileHandle(file, {
        create: mode === "create",
      })) as FileHandle;
      if (mode === "read") return blobFile(await handle.getFile());
      const opened = await accessFile(handle, open);
      if (mode === "create" && (await opened.size()) > 0) await opened.truncate(0);
      return opened;
    },
    async rename(from, to) {
      const [fromFolder, fromFile] = split(from);
      const [toFolder, toFile] = split(to);
      const handle = (await (await folder(fromFolder)).getFileHandle(fromFile)) as FileHandle;
      const target = await folder(toFolder);
      if (handle.move === undefined) {
        throw new LogboomError("NOT_SUPPORTED", "this browser cannot rename private files");
      }
      await handle.move(target, toFile);
    },
    async remove(path) {
      const [parent, file] = split(path);
      try {
        await (await folder(parent)).removeEntry(file);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    async setAside(path) {
      const [parent, name] = split(path);
      await (await folder(parent)).removeEntry(name, { recursive: true });
      for (const known of [...folders.keys()]) {
        if (known === path || known.startsWith(`${path}/`)) folders.delete(known);
      }
    },
    async release() {
      if (!held) return;
      held = false;
      for (const access of open) access.close();
      open.clear();
      lock.close();
    },
  };
}

/** Deletes a store's folder. @throws LogboomError `STORAGE_LOCKED` while a page has it open */
export async function deleteOpfsFolder(name: string): Promise<void> {
  let root: FileSystemDirectoryHandle;
  try {
    root = await storeFolder(name, false);
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  (await takeLock(root, name)).close();
  const parent = await walk(await privateRoot(), [parentFolder], false);
  await parent.removeEntry(encodeURIComponent(name), { recursive: true });
}

const parentFolder = "logboom";

async function storeFolder(name: string, create: boolean): Promise<FileSystemDirectoryHandle> {
  return await walk(await privateRoot(), [parentFolder, encodeURIComponent(name)], create);
}

async function privateRoot(): Promise<FileSystemDirectoryHandle> {
  try {
    return await navigator.storage.getDirectory();
  } catch (cause) {
    throw new LogboomError("NO_STORAGE", "there is no private file system here", { cause });
  }
}

async function takeLock(root: FileSystemDirectoryHandle, name: string): Promise<SyncAccessHandle> {
  const file = (await root.getFileHandle("lock", { create: true })) as FileHandle;
  if (typeof file.createSyncAccessHandle !== "function") {
    throw new LogboomError(
      "NO_STORAGE",
      "private files need a dedicated worker of a newer browser",
    );
  }
  try {
    return await file.createSyncAccessHandle();
  } catch (cause) {
    throw new LogboomError("STORAGE_LOCKED", `another page has the store ${name} open`, { cause });
  }
}

async function walk(
  from: FileSystemDirectoryHandle,
  names: readonly string[],
  create: boolean,
): Promise<FileSystemDirectoryHandle> {
  let at = from;
  for (const name of names) at = await at.getDirectoryHandle(name, { create });
  return at;
}

function keysOf(folder: FileSystemDirectoryHandle): AsyncIterable<string> {
  return (folder as unknown as { keys(): AsyncIterable<string> }).keys();
}

function split(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function isNotFound(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** @param open  handles that are open: it is among them until it is closed */
async function accessFile(handle: FileHandle, open: Set<SyncAccessHandle>): Promise<OpfsFile> {
  const access = await handle.createSyncAccessHandle();
  open.add(access);
  const put = (at: number, bytes: Uint8Array): void => {
    const written = access.write(bytes, { at });
    if (written !== bytes.length) {
      throw new Error(`${written} of ${bytes.length} bytes were written`);
    }
  };
  return {
    size: async () => access.getSize(),
    readInto: async (target, at) => access.read(target, { at }),
    write: async (at, bytes) => put(at, bytes),
    append(at, bytes) {
      put(at, bytes);
      access.flush();
    },
    note: put,
    truncate: async (size) => access.truncate(size),
    sync: async () => access.flush(),
    async close() {
      if (open.delete(access)) access.close();
    },
  };
}

/** For reading: takes no lock, so a snapshot can be read twice at once. */
function blobFile(blob: Blob): OpfsFile {
  const never = (): never => {
    throw new Error("opened for reading");
  };
  return {
    size: async () => blob.size,
    async readInto(target, at) {
      const part = await blob.slice(at, at + target.length).arrayBuffer();
      target.set(new Uint8Array(part));
      return part.byteLength;
    },
    write: async () => never(),
    append: never,
    note: never,
    truncate: async () => never(),
    sync: async () => never(),
    close: async () => {},
  };
}
