/**
 * A Directory whose calls are carried out by a storage worker: the page's side of opfs-protocol.ts.
 *
 * A worker that dies takes every call down that waits, and every later one.
 */
import { LogboomError } from "../base/errors.js";
import type { Directory, DirectoryFile } from "./directory.js";
import { storageFailed } from "./lifeline.js";
import {
  type Append,
  appendId,
  encodeAppend,
  type OpfsCall,
  type OpfsReply,
  type PostedError,
  protocolVersion,
} from "./opfs-protocol.js";

/**
 * Takes the folder of the store `name`.
 *
 * @throws LogboomError `STORAGE_LOCKED` · `NO_STORAGE` · `STORAGE_FAILED` · `NOT_SUPPORTED` (the worker is another version's)
 */
export async function linkDirectory(name: string, worker: Worker): Promise<Directory> {
  const link = createLink(name, worker);
  try {
    const spoken = await link.ask<number | undefined>({ op: "take", name });
    if (spoken !== protocolVersion) throw otherVersion(name, spoken);
  } catch (error) {
    link.end();
    throw error;
  }
  return remoteDirectory(name, link);
}

/** @throws LogboomError `STORAGE_LOCKED` while a page has it open */
export async function deleteRemotely(name: string, worker: Worker): Promise<void> {
  const link = createLink(name, worker);
  try {
    await link.ask({ op: "delete", name });
  } finally {
    link.end();
  }
}

/** Memory above this size is let go. */
const keptBytes = 1024 * 1024;

interface Link {
  /** @param given  buffers that are the worker's from then on */
  ask<T>(call: OpfsCall, given?: ArrayBuffer[]): Promise<T>;
  append(call: Omit<Append, "id">): Promise<void>;
  /** Nobody waits for what becomes of it. */
  tell(call: OpfsCall): void;
  onLost(listener: (error: LogboomError) => void): void;
  readonly lost: boolean;
  end(): void;
}

interface Waiting {
  done(value: unknown): void;
  failed(error: Error): void;
}

function createLink(name: string, worker: Worker): Link {
  const waiting = new Map<number, Waiting>();
  const listeners: ((error: LogboomError) => void)[] = [];
  let counter = 0;
  let spare: ArrayBuffer | undefined;
  let lost: LogboomError | undefined;
  const lose = (error: LogboomError): void => {
    lost ??= error;
    for (const { failed } of waiting.values()) failed(lost);
    waiting.clear();
    for (const listener of listeners.splice(0)) listener(lost);
  };
  const answered = (id: number): Waiting | undefined => {
    const asked = waiting.get(id);
    waiting.delete(id);
    return asked;
  };
  worker.onmessage = ({ data }: MessageEvent<OpfsReply>) => {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength <= keptBytes) spare = data;
      answered(appendId(data))?.done(undefined);
    } else if (!("error" in data)) answered(data.id)?.done(data.value);
    else if (data.id !== undefined) answered(data.id)?.failed(revived(data.error));
    else lose(storageFailed(`${name}: writing failed`, revived(data.error)));
  };
  worker.onerror = (event) => {
    lose(
      storageFailed(`the storage worker of ${name} failed: ${event.message ?? "it did not start"}`),
    );
  };
  const memory = (length: number): ArrayBuffer => {
    const taken = spare;
    spare = undefined;
    return taken === undefined || taken.byteLength < length ? new ArrayBuffer(length) : taken;
  };
  const send = <T>(post: (id: number) => void): Promise<T> =>
    new Promise((done, failed) => {
      if (lost !== undefined) {
        failed(lost);
        return;
      }
      const id = counter;
      // As an append carries it: days of writing come to the end of 32 bits.
      counter = (counter + 1) >>> 0;
      waiting.set(id, { done: done as (value: unknown) => void, failed });
      post(id);
    });
  return {
    ask: (call, given = []) => send((id) => worker.postMessage({ ...call, id }, given)),
    append: (call) =>
      send((id) => {
        const buffer = encodeAppend({ ...call, id }, memory);
        worker.postMessage(buffer, [buffer]);
      }),
    tell(call) {
      if (lost === undefined) worker.postMessage(call);
    },
    onLost(listener) {
      if (lost === undefined) listeners.push(listener);
      else listener(lost);
    },
    get lost() {
      return lost !== undefined;
    },
    end() {
      listeners.length = 0;
      lose(new LogboomError("CLOSED", `store ${name} is closed`));
      worker.terminate();
    },
  };
}

/** A message for each write that nobody waits for would cost a small write a tenth of its time. */
const soonMs = 20;

function remoteDirectory(name: string, link: Link): Directory {
  let held = true;
  return {
    name,
    list: (path) => link.ask({ op: "list", path }),
    makeDirectory: (path) => link.ask({ op: "makeDirectory", path }),
    async open(path, mode) {
      return remoteFile(link, await link.ask({ op: "open", path, mode }));
    },
    rename: (from, to) => link.ask({ op: "rename", from, to }),
    remove: (path) => link.ask({ op: "remove", path }),
    setAside: (path) => link.ask({ op: "setAside", path }),
    // Names are the browser's to keep: it has no call that flushes a folder.
    sync: async () => {},
    // The worker's handle on the lock keeps every other page out for as long as the worker lives.
    owned: () => held,
    // It asks the browser three things, and the next flush waits for what the browser writes down about it.
    slowRename: true,
    soon(work) {
      // biome-ignore lint/style/noRestrictedGlobals: what is kept in a browser goes by the browser's time.
      setTimeout(work, soonMs);
    },
    onLost: link.onLost,
    async release() {
      if (!held) return;
      held = false;
      // A worker that is dead has let go of everything.
      if (!link.lost) await link.ask({ op: "release" }).catch(() => {});
      link.end();
    },
  };
}

function remoteFile(link: Link, file: number): DirectoryFile {
  return {
    size: () => link.ask({ op: "size", file }),
    async readInto(target, at) {
      const { length } = target;
      const bytes = await link.ask<Uint8Array>({ op: "read", file, at, length });
      target.set(bytes);
      return bytes.length;
    },
    write(at, from) {
      // A copy of its own: with a view goes all the memory that it is a view of.
      const bytes = from.slice();
      return link.ask({ op: "write", file, at, bytes }, [bytes.buffer]);
    },
    append: (at, bytes, zeros = 0) => link.append({ file, at, bytes, zeros }),
    note: (at, bytes) => link.tell({ op: "note", file, at, bytes: bytes.slice() }),
    truncate: (size) => link.ask({ op: "truncate", file, size }),
    sync: () => link.ask({ op: "sync", file }),
    async close() {
      if (!link.lost) await link.ask({ op: "close", file });
    },
  };
}

function otherVersion(name: string, spoken: number | undefined): LogboomError {
  return new LogboomError(
    "NOT_SUPPORTED",
    `the storage worker of ${name} speaks version ${spoken ?? 1} of what pages and workers say to each other, this page ${protocolVersion}: serve the logboom/opfs-worker that came with this logboom, and empty caches`,
  );
}

function revived(posted: PostedError): Error {
  if ("code" in posted) {
    return new LogboomError(posted.code, posted.message, { outcome: posted.outcome });
  }
  return Object.assign(new Error(posted.message), { name: posted.name });
}
