/**
 * Segments made ahead of their use: the next one waits by the time the present one is full.
 *
 * As etcd's filePipeline (server/storage/wal/file_pipeline.go): it has a temporary name, and gets its own once its header is on the disk. With two
 * differences: it is begun once the present segment is half full, so that small logs have none, and what a crash leaves of one is
 * deleted at the next opening rather than written over. It holds nothing but zeros, so losing one loses nothing; one that could
 * not be made fails the cut that needs it.
 *
 * Where a new name takes long (`Directory.slowRename`) it has its own from the beginning, without the index of its first entry, which nobody
 * knows yet, and its header is flushed with the first records. Whoever reads the log tells one that was never begun (wal-files.ts).
 */
import { assert } from "../base/assert.js";
import { type Directory, type DirectoryFile, joinPath } from "./directory.js";
import { type SegmentName, segmentFile } from "./wal.js";

export interface SegmentPlace {
  readonly directory: Directory;
  /** The log's folder. */
  readonly path: string;
  readonly segmentBytes: number;
}

export class SegmentSupply {
  private readonly place: SegmentPlace;
  private spare: { readonly sequence: number; readonly made: Promise<DirectoryFile> } | undefined;

  constructor(place: SegmentPlace) {
    this.place = place;
  }

  /** Begins to make the file of segment `sequence`, unless that was begun already. */
  prepare(sequence: number): void {
    if (this.spare?.sequence === sequence) return;
    const made = allocate(this.place, sequence);
    // Told to whoever takes it; a log that never gets so far does not miss it.
    made.catch(() => {});
    this.spare = { sequence, made };
  }

  /** Writes `header` into the next segment and makes it appear whole, under its own name. */
  async take(segment: SegmentName, header: Uint8Array): Promise<DirectoryFile> {
    const { directory, path } = this.place;
    const { sequence } = segment;
    const file = await this.made(sequence);
    await file.append(0, header);
    await file.close();
    const own = joinPath(path, segmentFile(segment));
    await directory.rename(spareFile(this.place, sequence), own);
    await directory.sync(path);
    this.spare = undefined;
    return await directory.open(own, "existing");
  }

  /** The next segment, all zeros, where it has its own name from the beginning. */
  async takeNamed(sequence: number): Promise<DirectoryFile> {
    const file = await this.made(sequence);
    this.spare = undefined;
    return file;
  }

  private async made(sequence: number): Promise<DirectoryFile> {
    this.prepare(sequence);
    const { spare } = this;
    assert(spare !== undefined, "no spare was begun", { sequence });
    return await spare.made;
  }

  /** Waits for a spare that is being made, and deletes it. */
  async close(): Promise<void> {
    const { spare } = this;
    this.spare = undefined;
    if (spare === undefined) return;
    const file = await spare.made.catch(() => undefined);
    await file?.close();
    const { directory } = this.place;
    // A new owner's file may have the same name.
    if (directory.owned()) await directory.remove(spareFile(this.place, spare.sequence));
  }
}

/** Deletes what a crash left of spares. */
export async function removeSpares(directory: Directory, path: string): Promise<void> {
  for (const name of await directory.list(path)) {
    if (/^\d+\.tmp$/.test(name)) await directory.remove(joinPath(path, name));
  }
}

/** etcd's names for them are 0.tmp and 1.tmp in turns. */
function spareFile({ directory, path }: SegmentPlace, sequence: number): string {
  const own = segmentFile({ sequence, index: undefined });
  return joinPath(path, directory.slowRename === true ? own : `${sequence % 2}.tmp`);
}

/** @returns the file, open */
async function allocate(place: SegmentPlace, sequence: number): Promise<DirectoryFile> {
  const { directory, path, segmentBytes } = place;
  // Emptied if it is there: a header left behind a shorter one would be read as data.
  const file = await directory.open(spareFile(place, sequence), "create");
  try {
    // Flushed with what is written first.
    await file.truncate(segmentBytes);
    if (directory.slowRename === true) await directory.sync(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
