/**
 * A Directory whose calls are carried out by a storage worker: the page's side of opfs-protocol.ts.
 *
 * A worker that dies takes every call down that waits, and every later one.
 */
import { LogboomError } from "../base/errors.js";
import type { Directory, DirectoryFile } from "./directory.js";
import { storageFailed } from "./lifeline.js";
import type { OpfsCall, OpfsReply, PostedError } from "./opfs-protocol.js";

/** Takes the folder of the store `name`. @throws LogboomError `STORAGE_LOCKED` · `NO_STORAGE` · `STORAGE_FAILED` */
export async function linkDirectory(name: string, worker: Worker): Promise<Directory> {
  const link = createLink(name, worker);
  try {
    await link.ask({ op: "take", name });
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

interface Link {
  /** @param given  buffers that are the worker's from then on */
  ask<T>(call: OpfsCall, given?: readonly ArrayBuffer[]): Promise<T>;
  /** Nobody waits for what becomes of it. */
  tell(call: OpfsCall): void;
  /** Memory that the worker gave back, once, or new. */
  memory(length: number): Uint8Array<ArrayBuffer>;
  onLost(listener: (error: LogboomError) => void): void;
  readonly lost: boolean;
  end(): void;
}

function createLink(name: string, worker: Worker): Link {
  const waiting = new Map<number, { done(value: unknown): void; failed(error: Error): void }>();
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
  worker.onmessage = ({ data }: MessageEvent<OpfsReply>) => {
    const { id } = data;
    if (id === undefined) {
      if ("error" in data) lose(storageFailed(`${name}: writing failed`, revived(data.error)));
      return;
    }
    const asked = waiting.get(id);
    waiting.delete(id);
    if ("error" in data) asked?.failed(revived(data.error));
    else {
      spare = data.spent ?? spare;
      asked?.done(data.value);
    }
  };
  worker.onerror = (event) => {
    lose(
      storageFailed(`the storage worker of ${name} failed: ${event.message ?? "it did not start"}`),
    );
  };
  return {
    ask<T>(call: OpfsCall, given: readonly ArrayBuffer[] = []) {
      return new Promise<T>((done, failed) => {
        if (lost !== undefined) {
          failed(lost);
          return;
        }
        const id = counter++;
        waiting.set(id, { done: done as (value: unknown) => void, failed });
        worker.postMessage({ ...call, id }, [...given]);
      });
    },
    tell(call) {
      if (lost === undefined) worker.postMessage(call);
    },
    memory(length) {
      const taken = spare;
      spare = undefined;
      return taken === undefined || taken.byteLength < length
        ? new Uint8Array(length)
        : new Uint8Array(taken, 0, length);
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
      lost ??= new LogboomError("CLOSED", `store ${name} is closed`);
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
  const copied = (from: Uint8Array): Uint8Array<ArrayBuffer> => {
    const bytes = link.memory(from.length);
    bytes.set(from);
    return bytes;
  };
  return {
    size: () => link.ask({ op: "size", file }),
    async readInto(target, at) {
      const { length } = target;
      const bytes = await link.ask<Uint8Array>({ op: "read", file, at, length });
      target.set(bytes);
      return bytes.length;
    },
    write(at, from) {
      const bytes = copied(from);
      return link.ask({ op: "write", file, at, bytes }, [bytes.buffer]);
    },
    append(at, from, zeros = 0) {
      const bytes = copied(from);
      return link.ask({ op: "append", file, at, bytes, zeros }, [bytes.buffer]);
    },
    note: (at, bytes) => link.tell({ op: "note", file, at, bytes: bytes.slice() }),
    truncate: (size) => link.ask({ op: "truncate", file, size }),
    sync: () => link.ask({ op: "sync", file }),
    moveTo: (path) => link.ask({ op: "moveTo", file, path }),
    async close() {
      if (!link.lost) await link.ask({ op: "close", file });
    },
  };
}

function revived(posted: PostedError): Error {
  if ("code" in posted) {
    return new LogboomError(posted.code, posted.message, { outcome: posted.outcome });
  }
  return Object.assign(new Error(posted.message), { name: posted.name });
}
