/**
 * SimMedium: what a simulated node's store lies on, beyond the life of any process: bytes of files, or a database.
 *
 * It keeps beside the real thing an account of what was acknowledged (`flushed`), against which every opening is held: what was
 * acknowledged is there again, or there is a reason why it may not be (`suspect`), and what is read back was once written.
 *
 * Not here: the files (sim-files.ts), the database (sim-database.ts), what may be lost at all (atlas.ts).
 */
import type { ErrorCode } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { Index } from "../core/types.js";
import type { Acknowledged, OpenedStore, StoreOpenOptions } from "../storage/storage.js";
import type { SimStorage } from "./node-world.js";
import { Image } from "./record-disk.js";
import type { SimProcess } from "./sim-process.js";

/** A copy of a store as a backup tool makes it: what is flushed at that moment. */
export interface Backup {
  readonly image: Image;
  readonly content: unknown;
}

/** Why a store may have lost what it acknowledged. */
export type Suspicion = "a flush that lied" | "an older copy" | "bit rot";

export interface MediumOptions {
  readonly random: Random;
  /** Mean milliseconds of a write and its flush. */
  readonly meanMs: number;
  /** Bytes of a segment of the log in files. */
  readonly segmentBytes: number;
  /** Segments are made ahead under their own names, as in private files. */
  readonly slowRename: boolean;
  sometimes(what: string): void;
}

export abstract class SimMedium implements SimStorage {
  flushed: Image = new Image();
  slowMs = 0;
  failNext = false;
  /** The next flush says it is done, and is not. */
  lieNext = false;
  suspect: Suspicion | undefined;
  /** By an older copy, and whoever opens it knows better: it is to be refused. */
  replaced = false;
  /** There may be damage that no opening comes by. */
  rotten = false;
  /** A failure was reported to the process that has it open. */
  failing = false;
  /** Of each write that was begun and not acknowledged, from where on it may have replaced entries. */
  readonly underWay: Set<{ readonly freeFrom: Index }> = new Set();
  /** Times that its log was read from the start. */
  openings = 0;
  /** What the last opening had acknowledged when it ended, for the next one. */
  acknowledged: Acknowledged | undefined;
  /** What it holds for certain. */
  get sure(): Image | undefined {
    return this.suspect === undefined ? this.kept : undefined;
  }

  /** What lies there: all that was acknowledged, but for what a flush lied about. */
  protected get kept(): Image {
    return this.lie ?? this.flushed;
  }

  /** A flush has lied, and what it covered is not safe yet. */
  get lies(): boolean {
    return this.lie !== undefined;
  }

  /** What would be left of the log if the flush that lied were found out now. */
  protected lie: Image | undefined;
  protected readonly options: MediumOptions;

  constructor(options: MediumOptions) {
    this.options = options;
  }

  /** @param known  who opens it is told what the last opening had acknowledged */
  openOptions(known: boolean): StoreOpenOptions {
    return known && this.acknowledged !== undefined ? { notBelow: this.acknowledged } : {};
  }

  /** Opens the store for `process`; whoever had it has it no more. */
  abstract open(process: SimProcess, options: StoreOpenOptions): Promise<OpenedStore>;
  /** A process that had it open is gone, while the machine lives on. */
  ended(_process: SimProcess): void {}
  /** The platform takes the store away from `process`. False where it cannot. */
  takeAway(_process: SimProcess, _how: "close" | "versionchange"): boolean {
    return false;
  }
  abstract backUp(): Backup;
  abstract restore(backup: Backup): void;
  /** Turns one bit of what lies there, in what no process has open. */
  abstract rot(): void;
  /** All that was written is flushed, lies included. */
  protected abstract flushAll(): void;
  protected abstract lose(survives: number): void;

  /** The machine goes down. A lie comes out only where `mayLose` what it covered. */
  crash(survives: number, mayLose: (left: Image) => boolean): void {
    if (this.lie !== undefined) {
      if (mayLose(this.lie)) {
        this.suspect = "a flush that lied";
        this.options.sometimes("a flush had lied when the machine went down");
      } else this.flushAll();
    }
    this.lose(survives);
    this.lie = undefined;
    this.lieNext = false;
    this.failNext = false;
    this.failing = false;
  }
}

export function isDamage(code: ErrorCode | undefined): boolean {
  return code === "STORAGE_FAILED" || code === "DECODE";
}

/**
 * Why a node that stopped by `code` gives its store up; undefined where nothing that was done to the store explains it.
 *
 * @param wentBack  it was known to lack what it had acknowledged
 */
export function whyGivenUp(
  code: ErrorCode | undefined,
  { rotten, suspect, replaced }: SimMedium,
  wentBack: boolean,
): string | undefined {
  if (isDamage(code) && (rotten || suspect !== undefined))
    return `damage was found: ${suspect ?? "bit rot"}`;
  if (code !== "STORE_WENT_BACK") return undefined;
  if (wentBack) return "a node found that its store went back";
  if (rotten || suspect !== undefined)
    return `what was lost was found to be gone: ${suspect ?? "bit rot"}`;
  return replaced ? "an older store was refused" : undefined;
}
