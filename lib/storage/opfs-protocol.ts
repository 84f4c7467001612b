/** What a page and its storage worker say to each other. */
import type { ErrorCode, Outcome } from "../base/errors.js";
import type { SnapshotMetadata } from "../core/types.js";
import type { StorageWrite, StoreOpenOptions } from "./storage.js";
import type { WalLimits } from "./wal-log.js";

/** Options that can be posted: a random source cannot. */
export type OpfsOpen = Pick<StoreOpenOptions, "notBelow"> &
  Partial<WalLimits> & { readonly name: string; readonly trailingEntries?: number };

export type OpfsCall =
  | { readonly op: "open"; readonly options: OpfsOpen }
  | { readonly op: "delete"; readonly name: string }
  | { readonly op: "load" }
  | {
      readonly op: "append";
      readonly write: Omit<StorageWrite, "entries">;
      /** The entries (entry-batch.ts), their buffer given away: as objects they would be copied one by one, each with all of its buffer. */
      readonly packed: Uint8Array<ArrayBuffer> | undefined;
    }
  | { readonly op: "compact"; readonly snapshot: SnapshotMetadata; readonly upTo: number }
  | { readonly op: "close" }
  | { readonly op: "metaGet"; readonly key: string }
  | { readonly op: "metaSet"; readonly key: string; readonly value: Uint8Array | undefined }
  | { readonly op: "list" }
  | { readonly op: "drop"; readonly metadata: SnapshotMetadata }
  | { readonly op: "sink"; readonly sink: number; readonly metadata: SnapshotMetadata }
  | { readonly op: "sinkWrite"; readonly sink: number; readonly chunk: Uint8Array }
  | { readonly op: "sinkFinish"; readonly sink: number }
  | { readonly op: "sinkAbort"; readonly sink: number }
  | { readonly op: "read"; readonly reader: number; readonly metadata: SnapshotMetadata }
  | { readonly op: "readNext"; readonly reader: number }
  | { readonly op: "readStop"; readonly reader: number };

export interface PostedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: Outcome;
}

export type OpfsRequest = OpfsCall & { readonly id: number };

export type OpfsReply =
  /** `spent`: the memory of a call's entries, given back: making new for each write costs as much as packing them. */
  | { readonly id: number; readonly value: unknown; readonly spent?: ArrayBuffer }
  | { readonly id: number; readonly error: PostedError }
  | { readonly lost: PostedError };
