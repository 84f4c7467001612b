/**
 * Segments made ahead of their use: the next one waits by the time the present one is full.
 *
 * As etcd's filePipeline (server/storage/wal/file_pipeline.go): it has a temporary name, and gets its own once its header is on the disk. With two
 * differences: it is begun once the present segment is half full, so that small logs have none, and what a crash leaves of one is
 * deleted at the next opening rather than written over. It holds nothing but zeros, so losing one loses nothing; one that could
 * not be made fails the cut that needs it.
 *
 * Where a new name takes long (`Directory.slowRename`) it has its own from the beginning, without the index of its first entry, which nobody
 * knows yet. Whoever reads the log takes one that is all zeros for what it is (wal-files.ts).
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

  /** Begins a segment with `header`, on the disk when this resolves: it is there whole or not at all. */
  async take(
    segment: Required<SegmentName>,
    header: Uint8Array,
  ): Promise<{ readonly name: SegmentName; readonly file: DirectoryFile }> {
    const { directory, path } = this.place;
    const { sequence } = segment;
    this.prepare(sequence);
    const { spare } = this;
    assert(spare !== undefined, "no spare was begun", { sequence });
    const file = await spare.made;
    await file.append(0, header);
    if (directory.slowRename === true) {
      this.spare = undefined;
      return { name: { sequence, index: undefined }, file };
    }
    await file.close();
    const own = joinPath(path, segmentFile(segment));
    await directory.rename(spareFile(this.place, sequence), own);
    await directory.sync(path);
    this.spare = undefined;
    return { name: segment, file: await directory.open(own, "existing") };
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
    // Flushed with the header.
    await file.truncate(segmentBytes);
    if (directory.slowRename === true) await directory.sync(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
