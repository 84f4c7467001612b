/**
 * The storage worker: the folder of one store in the origin's private file system, served to the page that started it.
 *
 * A page can neither write nor flush such files itself. What is written is its own affair (opfs.ts): here are the calls alone, one by
 * one, as opfs-directory.ts carries them out.
 */
import { isLogboomError, LogboomError } from "../base/errors.js";
import { readAt, zeroBytes } from "./directory.js";
import {
  deleteOpfsFolder,
  type OpfsFile,
  type OpfsFolder,
  openOpfsFolder,
} from "./opfs-directory.js";
import {
  decodeAppend,
  type FileCall,
  type FolderCall,
  type OpfsCall,
  type OpfsReply,
  type OpfsRequest,
  type PostedError,
  protocolVersion,
} from "./opfs-protocol.js";

let folder: OpfsFolder | undefined;
const files = new Map<number, OpfsFile>();
let opened = 0;

addEventListener("message", ({ data }: MessageEvent<OpfsRequest | ArrayBuffer>) => {
  if (data instanceof ArrayBuffer) append(data);
  else void serve(data);
});

function append(buffer: ArrayBuffer): void {
  const { id, file: number, at, bytes, zeros } = decodeAppend(buffer);
  const end = at + bytes.length;
  let waiting: number | undefined = id;
  try {
    const file = fileOf(number);
    file.append(at, bytes);
    // From here on `bytes` are the page's, and nobody waits: it makes its next write meanwhile, with which the zeros are flushed.
    reply(buffer, [buffer]);
    waiting = undefined;
    if (zeros > 0) file.note(end, zeroBytes(zeros));
  } catch (error) {
    refuse(waiting, error);
  }
}

async function serve(request: OpfsRequest): Promise<void> {
  const { id } = request;
  try {
    const value = await carryOut(request);
    if (id === undefined) return;
    if (value instanceof Uint8Array) reply({ id, value }, [value.buffer as ArrayBuffer]);
    else reply({ id, value });
  } catch (error) {
    refuse(id, error);
  }
}

function refuse(id: number | undefined, error: unknown): void {
  reply({ id, error: posted(error) });
}

function fileOf(number: number): OpfsFile {
  const file = files.get(number);
  if (file === undefined) throw new LogboomError("CLOSED", `file ${number} is not open`);
  return file;
}

async function carryOut(call: OpfsCall): Promise<unknown> {
  if ("file" in call) return await onFile(fileOf(call.file), call);
  if (call.op === "take") {
    folder = await openOpfsFolder(call.name);
    return protocolVersion;
  }
  if (call.op === "delete") return await deleteOpfsFolder(call.name);
  if (folder === undefined) throw new LogboomError("CLOSED", "no store is open in this worker");
  return await onFolder(folder, call);
}

async function onFolder(
  taken: OpfsFolder,
  call: Exclude<FolderCall, { op: "take" | "delete" }>,
): Promise<unknown> {
  switch (call.op) {
    case "list":
      return await taken.list(call.path);
    case "makeDirectory":
      return await taken.makeDirectory(call.path);
    case "open": {
      const file = await taken.open(call.path, call.mode);
      files.set(++opened, file);
      return opened;
    }
    case "rename":
      return await taken.rename(call.from, call.to);
    case "remove":
      return await taken.remove(call.path);
    case "setAside":
      return await taken.setAside(call.path);
    case "release":
      return await taken.release();
  }
}

async function onFile(file: OpfsFile, call: FileCall): Promise<unknown> {
  switch (call.op) {
    case "size":
      return await file.size();
    case "read":
      return await readAt(file, call.at, call.length);
    case "write":
      return await file.write(call.at, call.bytes);
    case "note":
      return file.note(call.at, call.bytes);
    case "truncate":
      return await file.truncate(call.size);
    case "sync":
      return await file.sync();
    case "close":
      files.delete(call.file);
      return await file.close();
  }
}

function reply(message: OpfsReply, given: ArrayBuffer[] = []): void {
  postMessage(message, { transfer: given });
}

function posted(error: unknown): PostedError {
  if (isLogboomError(error)) {
    return { code: error.code, message: error.message, outcome: error.outcome };
  }
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}
