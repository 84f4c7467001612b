/**
 * What a page and its storage worker say to each other: the calls of a Directory (directory.ts) as messages.
 *
 * A call without an `id` is not answered, unless it fails. Answers come as the calls end, which need not be the order they were asked in.
 *
 * The one that everybody waits for, `append`, is a buffer and no object, and comes back as its own answer: that spares both sides taking
 * messages apart, and the page making memory for the next. Numbers are little-endian:
 *
 *     0  u32 id      8  f64 at            20  u32 how many zeros behind the bytes, which may follow the answer
 *     4  u32 file   16  u32 how many bytes   24  the bytes
 */
import type { ErrorCode, Outcome } from "../base/errors.js";

/** Raised with every change: an app may place the worker's file itself, and a cache may keep an old one. */
export const protocolVersion = 2;

/** Calls of the folder. */
export type FolderCall =
  /** Takes the folder of the store `name`: the first call, once. Answered by the worker's `protocolVersion`. */
  | { readonly op: "take"; readonly name: string }
  /** Deletes the folder of a store that nobody has taken. */
  | { readonly op: "delete"; readonly name: string }
  | { readonly op: "list"; readonly path: string }
  | { readonly op: "makeDirectory"; readonly path: string }
  /** Answered by the number that the file has in a FileCall. */
  | { readonly op: "open"; readonly path: string; readonly mode: "existing" | "create" | "read" }
  | { readonly op: "rename"; readonly from: string; readonly to: string }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "setAside"; readonly path: string }
  | { readonly op: "release" };

/** Calls of an open file. */
export type FileCall =
  | { readonly op: "size"; readonly file: number }
  /** Answered by the bytes. */
  | { readonly op: "read"; readonly file: number; readonly at: number; readonly length: number }
  | Put<"write">
  | Put<"note">
  | { readonly op: "truncate"; readonly file: number; readonly size: number }
  | { readonly op: "sync"; readonly file: number }
  | { readonly op: "close"; readonly file: number };

interface Put<Op extends string> {
  readonly op: Op;
  readonly file: number;
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type OpfsCall = FolderCall | FileCall;

export type OpfsRequest = OpfsCall & { readonly id?: number };

export interface Append {
  readonly id: number;
  readonly file: number;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly zeros: number;
}

const appendHeaderBytes = 24;

/** @param memory  gives a buffer of so many bytes or more */
export function encodeAppend(
  { id, file, at, bytes, zeros }: Append,
  memory: (length: number) => ArrayBuffer,
): ArrayBuffer {
  const buffer = memory(appendHeaderBytes + bytes.length);
  const view = new DataView(buffer);
  view.setUint32(0, id, true);
  view.setUint32(4, file, true);
  view.setFloat64(8, at, true);
  view.setUint32(16, bytes.length, true);
  view.setUint32(20, zeros, true);
  new Uint8Array(buffer).set(bytes, appendHeaderBytes);
  return buffer;
}

export function decodeAppend(buffer: ArrayBuffer): Append {
  const view = new DataView(buffer);
  return {
    id: appendId(buffer),
    file: view.getUint32(4, true),
    at: view.getFloat64(8, true),
    bytes: new Uint8Array(buffer, appendHeaderBytes, view.getUint32(16, true)),
    zeros: view.getUint32(20, true),
  };
}

export function appendId(buffer: ArrayBuffer): number {
  return new DataView(buffer).getUint32(0, true);
}

/** An error of this library, or one of the platform. */
export type PostedError =
  | { readonly code: ErrorCode; readonly message: string; readonly outcome: Outcome }
  | { readonly name: string; readonly message: string };

export type OpfsReply =
  /** Of an append. */
  | ArrayBuffer
  | { readonly id: number; readonly value?: unknown }
  | { readonly id: number | undefined; readonly error: PostedError };
