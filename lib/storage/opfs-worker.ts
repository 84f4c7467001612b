/**
 * The storage worker: a log in the origin's private file system, served to the one page that started it.
 *
 * Everything is wal-store.ts; this file only turns messages into calls. One worker serves one store.
 */
import { isLogboomError, LogboomError } from "../base/errors.js";
import { unpackEntries } from "./entry-batch.js";
import { deleteOpfsFolder, openOpfsDirectory } from "./opfs-directory.js";
import type { OpfsCall, OpfsReply, OpfsRequest, PostedError } from "./opfs-protocol.js";
import type { OpenedStore, SnapshotSink } from "./storage.js";
import { browserLimits, openWalStore } from "./wal-store.js";

let store: OpenedStore | undefined;
const sinks = new Map<number, SnapshotSink>();
const readers = new Map<number, AsyncIterator<Uint8Array>>();

addEventListener("message", ({ data }: MessageEvent<OpfsRequest>) => {
  void serve(data);
});

async function serve(request: OpfsRequest): Promise<void> {
  const { id } = request;
  try {
    const value = await answer(request);
    const spent = request.op === "append" ? request.packed?.buffer : undefined;
    if (spent === undefined) reply({ id, value });
    else postMessage({ id, value, spent } satisfies OpfsReply, { transfer: [spent] });
  } catch (error) {
    reply({ id, error: posted(error) });
  }
}

async function answer(call: OpfsCall): Promise<unknown> {
  if (call.op === "open") {
    const { name, ...options } = call.options;
    store = await openWalStore(await openOpfsDirectory(name), browserLimits, options);
    store.onLost((error) => reply({ lost: posted(error) }));
    return store.identity;
  }
  if (call.op === "delete") return await deleteOpfsFolder(call.name);
  if (store === undefined) throw new LogboomError("CLOSED", "no store is open in this worker");
  return await answerOpen(store, call);
}

type OpenCall = Exclude<OpfsCall, { op: "open" | "delete" }>;

async function answerOpen(opened: OpenedStore, call: OpenCall): Promise<unknown> {
  const { storage, snapshots, meta } = opened;
  switch (call.op) {
    case "load":
      return await storage.load();
    case "append":
      return await storage.append({
        ...call.write,
        entries: call.packed === undefined ? [] : unpackEntries(call.packed),
      });
    case "compact":
      return await storage.compact(call.snapshot, call.upTo);
    case "close":
      return await storage.close();
    case "metaGet":
      return await meta.get(call.key);
    case "metaSet":
      return await meta.set(call.key, call.value);
    case "list":
      return await snapshots.list();
    case "drop":
      return await snapshots.drop(call.metadata);
    case "sink":
      sinks.set(call.sink, await snapshots.write(call.metadata));
      return undefined;
    case "sinkWrite":
      return await sinks.get(call.sink)?.write(call.chunk);
    case "sinkFinish":
      return await sinks.get(call.sink)?.finish();
    case "sinkAbort":
      return await sinks.get(call.sink)?.abort();
    case "read":
      readers.set(call.reader, snapshots.read(call.metadata)[Symbol.asyncIterator]());
      return undefined;
    case "readNext":
      return await readers.get(call.reader)?.next();
    case "readStop":
      await readers.get(call.reader)?.return?.();
      readers.delete(call.reader);
      return undefined;
  }
}

function reply(message: OpfsReply): void {
  postMessage(message);
}

function posted(error: unknown): PostedError {
  if (isLogboomError(error)) {
    return { code: error.code, message: error.message, outcome: error.outcome };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "STORAGE_FAILED", message, outcome: "unknown" };
}
