/**
 * Snapshots as `.snap` files: bodies stream through with bounded memory, and a file under its final name is whole.
 *
 * Written to a temporary name, flushed, renamed, the folder flushed (etcd leaves out the last three, and a crash leaves it torn
 * files). A damaged one is renamed to `.broken`, out of the way of the next older. One that was written and never named by the log is
 * harmless: only the log's records say which count. A file that is being read is neither replaced nor removed before its last reader is
 * done: the same snapshot that arrives meanwhile is let go of.
 */
import { concatBytes } from "../base/bytes.js";
import { crc32c } from "../base/crc32c.js";
import { isLogboomError, LogboomError } from "../base/errors.js";
import type { SnapshotMetadata } from "../core/types.js";
import { BodyReaders } from "./body-readers.js";
import { type Directory, type DirectoryFile, joinPath, readAt } from "./directory.js";
import { type Lifeline, storageFailed } from "./lifeline.js";
import type { LogShape } from "./log-shape.js";
import {
  encodeSnapshotFile,
  headBytesMax,
  innerHeader,
  parseHead,
  parseSnapshotFile,
  parseTrailer,
  type SnapshotLayout,
  snapshotFile,
  streamHeader,
  streamHeaderBytes,
  trailer,
} from "./snap.js";
import { checkDroppable, newestFirst, noSnapshot, sameSnapshot } from "./snapshot-names.js";
import type { SnapshotSink, SnapshotStore } from "./storage.js";

/** Bytes read or written at once. */
const pieceBytes = 256 * 1024;
/** Metadata with more bytes than this are not read. */
const trailerBytesMax = 256 * 1024;

interface Stored {
  readonly metadata: SnapshotMetadata;
  readonly layout: SnapshotLayout;
  readonly size: number;
}

export interface WalSnapshots {
  readonly store: SnapshotStore;
  has(metadata: SnapshotMetadata): boolean;
  /** Whether there is a file at all, be it damaged. */
  any(): Promise<boolean>;
  list(): readonly SnapshotMetadata[];
  /** Stores a body that came whole. */
  put(metadata: SnapshotMetadata, body: Uint8Array): Promise<void>;
  /** Reads it through; a damaged one is renamed, forgotten and answered with what is wrong with it. */
  verify(metadata: SnapshotMetadata): Promise<Error | undefined>;
  /** Set by the log: its shape, and which snapshots it names. */
  rules: () => { readonly shape: LogShape; readonly named: readonly SnapshotMetadata[] };
}

/** Whether a file of this name is a snapshot, or was one before it was found damaged. */
export function isSnapshot(name: string): boolean {
  return parseSnapshotFile(name.replace(/\.broken$/, "")) !== undefined;
}

/** Reads what is there, and removes what a crash left half-made. */
export async function openWalSnapshots(
  directory: Directory,
  path: string,
  lifeline: Lifeline,
): Promise<WalSnapshots> {
  const folder: Folder = {
    directory,
    path,
    lifeline,
    readers: new BodyReaders(),
    changing: Promise.resolve(),
    stored: [],
    counter: 0,
  };
  for (const name of await directory.list(path)) {
    if (name.endsWith(".tmp")) await directory.remove(joinPath(path, name));
    else if (parseSnapshotFile(name) !== undefined) await admit(folder, name);
  }
  const snapshots: WalSnapshots = {
    rules: () => {
      throw new LogboomError("CLOSED", "the log is not open yet");
    },
    store: {
      write: async (metadata) => {
        lifeline.check();
        return openSink(folder, metadata);
      },
      read: (metadata) => readBody(folder, metadata),
      async list() {
        lifeline.check();
        return snapshots.list();
      },
      async drop(metadata) {
        lifeline.check();
        if (find(folder, metadata) === undefined) return;
        const { shape, named } = snapshots.rules();
        checkDroppable(shape, named.filter(snapshots.has), metadata);
        await drop(folder, metadata);
      },
    },
    has: (metadata) => find(folder, metadata) !== undefined,
    any: async () => (await directory.list(path)).some(isSnapshot),
    list: () => folder.stored.map((one) => one.metadata),
    put: (metadata, body) => put(folder, metadata, body),
    verify: (metadata) => verify(folder, metadata),
  };
  return snapshots;
}

/** The body of a snapshot file, checked to its end. @throws LogboomError `STORAGE_FAILED` when damaged */
export async function readSnapshotFile(
  directory: Directory,
  path: string,
): Promise<{ readonly metadata: SnapshotMetadata; readonly bodyBytes: number }> {
  const file = await directory.open(path, "read");
  try {
    const { metadata, layout, size } = await readStored(file);
    for await (const _ of checkedBody(file, layout, size));
    return { metadata, bodyBytes: layout.bodyTo - layout.bodyFrom };
  } catch (error) {
    throw storageFailed(`${directory.name}/${path} is damaged`, error);
  } finally {
    await file.close();
  }
}

interface Folder {
  readonly directory: Directory;
  readonly path: string;
  readonly lifeline: Lifeline;
  /** By file name. */
  readonly readers: BodyReaders;
  /** Ends when the last change to complete files so far has. */
  changing: Promise<void>;
  stored: readonly Stored[];
  counter: number;
}

function find(folder: Folder, metadata: SnapshotMetadata): Stored | undefined {
  return folder.stored.find((one) => sameSnapshot(one.metadata, metadata));
}

function forget(folder: Folder, metadata: SnapshotMetadata): void {
  folder.stored = folder.stored.filter((one) => !sameSnapshot(one.metadata, metadata));
}

function remember(folder: Folder, added: Stored): void {
  forget(folder, added.metadata);
  folder.stored = [...folder.stored, added].sort((a, b) => newestFirst(a.metadata, b.metadata));
}

/** Runs what touches the disk: any failure of it ends the store. */
async function guarded<T>({ lifeline, directory }: Folder, run: () => Promise<T>): Promise<T> {
  lifeline.check();
  try {
    return await lifeline.guard(run());
  } catch (error) {
    const known = isLogboomError(error)
      ? error
      : storageFailed(`${directory.name}: a snapshot file`, error);
    throw lifeline.fail(known);
  }
}

/** Runs what replaces or removes a complete file: one at a time, and while nobody is about to open one. */
async function changed(folder: Folder, run: () => Promise<void>): Promise<void> {
  const work = folder.changing.then(() => guarded(folder, run));
  folder.changing = work.catch(() => {});
  await work;
}

async function admit(folder: Folder, name: string): Promise<void> {
  const { directory, path } = folder;
  const file = await directory.open(joinPath(path, name), "read");
  let stored: Stored | undefined;
  try {
    stored = await readStored(file);
  } catch (error) {
    if (!isLogboomError(error) || error.code !== "DECODE") throw error;
  } finally {
    await file.close();
  }
  const named = parseSnapshotFile(name);
  if (stored === undefined || named?.index !== stored.metadata.index) await setBroken(folder, name);
  else remember(folder, stored);
}

async function setBroken({ directory, path }: Folder, name: string): Promise<void> {
  await directory.rename(joinPath(path, name), joinPath(path, `${name}.broken`));
  await directory.sync(path);
}

async function readStored(file: DirectoryFile): Promise<Stored> {
  const size = await file.size();
  const layout = parseHead(await readAt(file, 0, headBytesMax), size);
  const length = size - layout.bodyTo;
  if (length > trailerBytesMax) throw new LogboomError("DECODE", `metadata of ${length} bytes`);
  return { metadata: parseTrailer(await readAt(file, layout.bodyTo, length)), layout, size };
}

/** The body in pieces. @throws LogboomError `DECODE` at the end when the checksum does not match */
async function* checkedBody(
  file: DirectoryFile,
  { crc, dataFrom, bodyFrom, bodyTo }: SnapshotLayout,
  size: number,
) {
  let sum = crc32c(await readAt(file, dataFrom, bodyFrom - dataFrom));
  for (let at = bodyFrom; at < bodyTo; ) {
    const piece = await readAt(file, at, Math.min(pieceBytes, bodyTo - at));
    if (piece.length === 0) throw new LogboomError("DECODE", `it ends at offset ${at}`);
    sum = crc32c(piece, sum);
    at += piece.length;
    yield piece;
  }
  sum = crc32c(await readAt(file, bodyTo, size - bodyTo), sum);
  if (sum !== crc) throw new LogboomError("DECODE", "its checksum does not match");
}

async function* readBody(folder: Folder, metadata: SnapshotMetadata): AsyncGenerator<Uint8Array> {
  let turn: Promise<void>;
  do {
    turn = folder.changing;
    await turn;
  } while (turn !== folder.changing);
  folder.lifeline.check();
  const found = find(folder, metadata);
  if (found === undefined) throw noSnapshot(metadata);
  yield* folder.readers.read(snapshotFile(metadata), readStoredBody(folder, found));
}

async function* readStoredBody(
  folder: Folder,
  { metadata, layout, size }: Stored,
): AsyncGenerator<Uint8Array> {
  const path = joinPath(folder.path, snapshotFile(metadata));
  const file = await guarded(folder, () => folder.directory.open(path, "read"));
  try {
    yield* checkedBody(file, layout, size);
  } catch (error) {
    throw storageFailed(`${folder.directory.name}/${path} is damaged`, error);
  } finally {
    await file.close();
  }
}

async function drop(folder: Folder, metadata: SnapshotMetadata): Promise<void> {
  const { directory, path, readers } = folder;
  const name = snapshotFile(metadata);
  const remove = async (): Promise<void> => {
    // It may have arrived again while it was read.
    if (find(folder, metadata) !== undefined) return;
    await directory.remove(joinPath(path, name));
    await directory.sync(path);
  };
  await changed(folder, async () => {
    forget(folder, metadata);
    // Where the removal fails later, the lifeline has told.
    const later = (): Promise<void> => changed(folder, remove).catch(() => {});
    if (!readers.afterwards(name, later)) await remove();
  });
}

async function verify(folder: Folder, metadata: SnapshotMetadata): Promise<Error | undefined> {
  const { directory, path } = folder;
  const name = snapshotFile(metadata);
  try {
    await readSnapshotFile(directory, joinPath(path, name));
    return undefined;
  } catch (error) {
    forget(folder, metadata);
    await setBroken(folder, name);
    return error as Error;
  }
}

async function put(folder: Folder, metadata: SnapshotMetadata, body: Uint8Array): Promise<void> {
  const bytes = encodeSnapshotFile(metadata, body);
  const temporary = joinPath(folder.path, `${folder.counter++}.tmp`);
  const file = await folder.directory.open(temporary, "create");
  await file.write(0, bytes);
  await publish(folder, file, temporary, metadata, bytes.length);
}

/** Makes a complete temporary file the snapshot of its name, unless that is there and being read. */
async function publish(
  folder: Folder,
  file: DirectoryFile,
  temporary: string,
  metadata: SnapshotMetadata,
  size: number,
): Promise<void> {
  const { directory, path, readers } = folder;
  await file.sync();
  const layout = parseHead(await readAt(file, 0, headBytesMax), size);
  await file.close();
  const name = snapshotFile(metadata);
  await changed(folder, async () => {
    if (readers.reads(name)) {
      await directory.remove(temporary);
      // One that was dropped stays now.
      if (find(folder, metadata) === undefined) await admit(folder, name);
      return;
    }
    await directory.rename(temporary, joinPath(path, name));
    await directory.sync(path);
    remember(folder, { metadata, layout, size });
  });
}

function openSink(folder: Folder, metadata: SnapshotMetadata): SnapshotSink {
  const { directory, path, lifeline } = folder;
  const temporary = joinPath(path, `${folder.counter++}.tmp`);
  let file: DirectoryFile | undefined;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let bodyBytes = 0;
  let open = true;
  const checkOpen = (): void => {
    lifeline.check();
    if (!open) throw new LogboomError("CLOSED", "this snapshot was finished or given up");
  };
  const flush = async (): Promise<DirectoryFile> => {
    file ??= await directory.open(temporary, "create");
    const piece = concatBytes(...waiting);
    waiting = [];
    waitingBytes = 0;
    if (piece.length > 0) await file.write(streamHeaderBytes + bodyBytes, piece);
    bodyBytes += piece.length;
    return file;
  };
  return {
    async write(chunk) {
      checkOpen();
      waiting.push(chunk.slice());
      waitingBytes += chunk.length;
      if (waitingBytes >= pieceBytes) await guarded(folder, flush);
    },
    async finish() {
      checkOpen();
      open = false;
      await guarded(folder, async () => {
        if (file === undefined) return await put(folder, metadata, concatBytes(...waiting));
        const target = await flush();
        const tail = trailer(metadata);
        await target.write(streamHeaderBytes + bodyBytes, tail);
        const crc = await sumOf(target, bodyBytes, tail.length);
        await target.write(0, streamHeader(bodyBytes, tail.length, crc));
        const size = streamHeaderBytes + bodyBytes + tail.length;
        await publish(folder, target, temporary, metadata, size);
      });
    },
    async abort() {
      if (!open) return;
      open = false;
      waiting = [];
      await file?.close();
      if (file !== undefined) await directory.remove(temporary);
    },
  };
}

/** The checksum of a streamed file, read back: the length that precedes the body is known only now. */
async function sumOf(file: DirectoryFile, bodyBytes: number, tailBytes: number): Promise<number> {
  let sum = crc32c(innerHeader(bodyBytes));
  const end = streamHeaderBytes + bodyBytes + tailBytes;
  for (let at = streamHeaderBytes; at < end; ) {
    const piece = await readAt(file, at, Math.min(pieceBytes, end - at));
    if (piece.length === 0) throw new Error(`a temporary file ended at ${at} of ${end} bytes`);
    sum = crc32c(piece, sum);
    at += piece.length;
  }
  return sum;
}
