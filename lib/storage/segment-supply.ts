/**
 * Segments made ahead of their use: the next one waits under a temporary name by the time the present one is full.
 *
 * As etcd's filePipeline (server/storage/wal/file_pipeline.go), with two differences: a spare is begun once the present
 * segment is half full, so that small logs have none, and what a crash leaves of one is deleted at the next opening rather than written
 * over. A spare holds nothing but zeros, so losing one loses nothing; one that could not be made fails the cut that
 * needs it.
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
    this.prepare(segment.sequence);
    const { spare } = this;
    assert(spare !== undefined, "no spare was begun", { sequence: segment.sequence });
    const file = await spare.made;
    await file.append(0, header);
    await file.moveTo(joinPath(path, segmentFile(segment)));
    this.spare = undefined;
    await directory.sync(path);
    return file;
  }

  /** Waits for a spare that is being made, and deletes it. */
  async close(): Promise<void> {
    const { spare } = this;
    this.spare = undefined;
    if (spare === undefined) return;
    const file = await spare.made.catch(() => undefined);
    await file?.close();
    const { directory, path } = this.place;
    // A new owner's file may have the same name.
    if (directory.owned()) await directory.remove(joinPath(path, spareFile(spare.sequence)));
  }
}

/** Deletes what a crash left of spares. */
export async function removeSpares(directory: Directory, path: string): Promise<void> {
  for (const name of await directory.list(path)) {
    if (/^\d+\.tmp$/.test(name)) await directory.remove(joinPath(path, name));
  }
}

/** The names etcd gives them: alternately 0 and 1. */
function spareFile(sequence: number): string {
  return `${sequence % 2}.tmp`;
}

/** @returns the file, open */
async function allocate(place: SegmentPlace, sequence: number): Promise<DirectoryFile> {
  const { directory, path, segmentBytes } = place;
  // Emptied if it is there: a header left behind a shorter one would be read as data.
  const file = await directory.open(joinPath(path, spareFile(sequence)), "create");
  try {
    // Flushed with the header.
    await file.truncate(segmentBytes);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
