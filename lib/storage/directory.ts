/**
 * Directory: the little of a file system the log needs, so that one code runs over Node's files, over OPFS, and over a disk that
 * fails on purpose (testing/disk.ts).
 *
 * Paths are relative, with slashes. What is durable when: `DirectoryFile.sync` makes a file's bytes and length durable;
 * `Directory.sync(path)` makes durable which names are in `path`. Nothing else is, and until then a crash may keep any part.
 */

import type { LogboomError } from "../base/errors.js";

export interface Directory {
  /** For messages. */
  readonly name: string;
  /** Names in `path`, in no order; none when it does not exist. */
  list(path: string): Promise<readonly string[]>;
  /** Makes `path` and what is missing above it, durably. */
  makeDirectory(path: string): Promise<void>;
  /** `"existing"` must be there; `"create"` makes it, or empties it; `"read"` must be there and is never written. */
  open(path: string, mode: "existing" | "create" | "read"): Promise<DirectoryFile>;
  /** Replaces `to`. Neither may be open. */
  rename(from: string, to: string): Promise<void>;
  /** Deletes a file; one that is not there is fine. */
  remove(path: string): Promise<void>;
  /** Moves a folder and all in it out of the way, or deletes it where it cannot be moved; durable. */
  setAside(path: string): Promise<void>;
  sync(path: string): Promise<void>;
  /** False once somebody else has taken it. */
  owned(): boolean;
  /** True where giving a file another name takes so long that files are made under the name they keep. */
  readonly slowRename?: boolean;
  /** Runs `work` soon, once the answers that are due now have gone out: for what nobody has to wait for. */
  soon(work: () => void): void;
  /** Called at most once, when the medium was taken away outside of any call. Absent where that cannot be noticed. */
  onLost?(listener: (error: LogboomError) => void): void;
  /** Gives the directory back; nothing is flushed. */
  release(): Promise<void>;
}

export interface DirectoryFile {
  size(): Promise<number>;
  /** Fills `target` with the bytes from `at` on; returns how many there were before the file ended. */
  readInto(target: Uint8Array<ArrayBuffer>, at: number): Promise<number>;
  /** All of `bytes`, or a rejection; may lengthen the file. */
  write(at: number, bytes: Uint8Array): Promise<void>;
  /**
   * `write` and `sync` in one call, for mediums where every call is a way to go.
   *
   * @param zeros  so many behind the bytes; they may be written after the answer, and be on the disk no sooner than what is written next
   */
  append(at: number, bytes: Uint8Array, zeros?: number): Promise<void>;
  /** As `write`, at once and without waiting for anything: for a few bytes that may be lost. @throws as the platform does */
  note(at: number, bytes: Uint8Array): void;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes from `at` on, fewer than `length` where the file ends. */
export async function readAt(
  file: Pick<DirectoryFile, "readInto">,
  at: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  const count = await file.readInto(bytes, at);
  return count === length ? bytes : bytes.slice(0, count);
}

/** A small file whole. */
export async function readFile(directory: Directory, path: string): Promise<Uint8Array> {
  const file = await directory.open(path, "read");
  try {
    return await readAt(file, 0, await file.size());
  } finally {
    await file.close();
  }
}

/** Replaces a small file durably: after a crash it is the old one or the new one. */
export async function replaceFile(
  directory: Directory,
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = joinPath(folder, `${name}.tmp`);
  const file = await directory.open(temporary, "create");
  try {
    await file.append(0, bytes);
  } finally {
    await file.close();
  }
  await directory.rename(temporary, joinPath(folder, name));
  await directory.sync(folder);
}

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** Zeros to write; nobody may change them. */
export function zeroBytes(length: number): Uint8Array<ArrayBuffer> {
  if (nothing.length < length) nothing = new Uint8Array(length);
  return nothing.subarray(0, length);
}

let nothing = new Uint8Array(0);
