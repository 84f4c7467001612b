/**
 * What a page and its storage worker say to each other: the calls of a Directory (directory.ts) as messages.
 *
 * A call without an `id` is not answered, unless it fails. Answers come as the calls end, which need not be the order they were asked in.
 */
import type { ErrorCode, Outcome } from "../base/errors.js";

/** Calls of the folder. */
export type FolderCall =
  /** Takes the folder of the store `name`: the first call, once. */
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
  | (Put<"append"> & { readonly zeros: number })
  | Put<"note">
  | { readonly op: "truncate"; readonly file: number; readonly size: number }
  | { readonly op: "sync"; readonly file: number }
  | { readonly op: "moveTo"; readonly file: number; readonly path: string }
  | { readonly op: "close"; readonly file: number };

interface Put<Op extends string> {
  readonly op: Op;
  readonly file: number;
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type OpfsCall = FolderCall | FileCall;

export type OpfsRequest = OpfsCall & { readonly id?: number };

/** An error of this library, or one of the platform. */
export type PostedError =
  | { readonly code: ErrorCode; readonly message: string; readonly outcome: Outcome }
  | { readonly name: string; readonly message: string };

export type OpfsReply =
  | {
      readonly id: number;
      readonly value?: unknown;
      /** The memory of what was written, given back: making new for each write costs as much as filling it. */
      readonly spent?: ArrayBuffer;
    }
  | { readonly id: number | undefined; readonly error: PostedError };
