/**
 * inspect: what a store's directory holds, printed as etcd-dump-logs does, without changing or locking anything.
 *
 * Reads our stores, etcd's data directories (`member/wal`, `member/snap`) and bare folders of segments. With `verify` it reads every
 * record and every snapshot to the end and says where the first damage is.
 */
import { equalBytes, hex } from "../base/bytes.js";
import { isLogboomError } from "../base/errors.js";
import { Reader } from "../base/protobuf.js";
import { decodeEntry, decodeHardState } from "../codec/raftpb-log.js";
import { decodeConfChangeV1, decodeConfChangeV2 } from "../core/confchange-codec.js";
import type { ConfState, Entry, HardState } from "../core/types.js";
import { type Directory, joinPath, readFile } from "../storage/directory.js";
import { parseSnapshotFile } from "../storage/snap.js";
import { decodeStoreFile, storeFileName } from "../storage/store-file.js";
import {
  decodeSnapshotMark,
  entryRecord,
  metadataRecord,
  type SnapshotMark,
  segmentFile,
  snapshotRecord,
  stateRecord,
} from "../storage/wal.js";
import { readSegments, type Segments } from "../storage/wal-files.js";
import { allAfter } from "../storage/wal-replay.js";
import { readSnapshotFile } from "../storage/wal-snapshots.js";
import { storeIdOf } from "../storage/wal-store.js";

export interface InspectOptions {
  /** Only say whether everything is whole. */
  readonly verify?: boolean;
  print(line: string): void;
}

/** @returns the process's exit code: 0, or 1 when something is damaged or there is no log */
export async function inspect(
  directory: Directory,
  { verify = false, print }: InspectOptions,
): Promise<number> {
  const wal = await findFolder(directory, ["member/wal", "wal", ""], /\.wal$/);
  if (wal === undefined) {
    print(`${directory.name}: no log here (looked for *.wal in member/wal, wal and the directory)`);
    return 1;
  }
  const identity = await checkStoreFile(directory);
  if (identity !== undefined) print(identity);
  const snap = await findFolder(directory, ["member/snap", "snap"], /\.snap$/);
  const snapshots = snap === undefined ? [] : await readSnapshots(directory, snap);
  const damaged = snapshots.filter(({ damage }) => damage !== undefined);
  for (const { damage } of damaged) print(`${damage}`);
  let read: Segments;
  const dump = createDump();
  try {
    read = await readSegments(directory, wal, allAfter(0), dump.visit);
  } catch (error) {
    if (!isLogboomError(error)) throw error;
    print(error.message);
    return 1;
  }
  const lacking = await lacks(directory, wal, read, snapshots);
  for (const what of lacking) print(what);
  const bad = damaged.length > 0 || identity !== undefined || lacking.length > 0;
  if (!verify) show(print, dump, read, snapshots);
  else if (!bad) print(verdict(directory, wal, read, snapshots.length));
  return bad ? 1 : 0;
}

/** What whole records say together that cannot be: an opening would refuse it, or take the store for another one. */
async function lacks(
  directory: Directory,
  wal: string,
  { replay, segments, end }: Segments,
  snapshots: readonly SnapshotFound[],
): Promise<string[]> {
  const { commit } = replay.hardState;
  const { last, compacted } = replay.runs ?? { last: 0, compacted: { index: 0 } };
  const found: string[] = [];
  const segment = segments.at(-1);
  if (commit > last && segment !== undefined) {
    const file = joinPath(wal, segmentFile(segment));
    found.push(
      `${directory.name}/${file} ends at offset ${end.offset} with entry ${last}, and entry ${commit} was committed`,
    );
  }
  const owner = await readStoreId(directory);
  // A log of etcd's own may go on from its database.
  if (owner === undefined) return found;
  const metadata = replay.metadata === undefined ? undefined : storeIdOf(replay.metadata);
  if (metadata !== undefined && !equalBytes(metadata, owner)) {
    found.push(`${directory.name}/${wal} is the log of another store (${hex(metadata)})`);
  }
  const usable = snapshots.some(({ index }) => index >= compacted.index && index <= last);
  if (compacted.index > 0 && !usable) {
    found.push(
      `${directory.name}: the log begins after entry ${compacted.index}, and no snapshot of what was before can be read`,
    );
  }
  return found;
}

async function readStoreId(directory: Directory): Promise<Uint8Array | undefined> {
  try {
    return decodeStoreFile(await readFile(directory, storeFileName)).storeId;
  } catch {
    // There is none, or it is damaged, which is said elsewhere.
    return undefined;
  }
}

/** What is wrong with the file that says who the store is; a data directory of etcd's has none. */
async function checkStoreFile(directory: Directory): Promise<string | undefined> {
  if (!(await directory.list("")).includes(storeFileName)) return undefined;
  try {
    decodeStoreFile(await readFile(directory, storeFileName));
    return undefined;
  } catch (error) {
    return `${directory.name}/${storeFileName} is damaged: ${(error as Error).message}`;
  }
}

interface SnapshotFound {
  readonly file: string;
  /** −1 where it cannot be read. */
  readonly index: number;
  readonly text: string;
  readonly damage: string | undefined;
}

interface Dump {
  metadata: Uint8Array | undefined;
  hardState: HardState | undefined;
  readonly marks: SnapshotMark[];
  /** As they lie in the log: one that was replaced later is shown too, as it still stands there. */
  readonly entries: Entry[];
  visit: Parameters<typeof readSegments>[3];
}

function createDump(): Dump {
  const dump: Dump = {
    metadata: undefined,
    hardState: undefined,
    marks: [],
    entries: [],
    visit(_segment, record, data) {
      if (record.type === metadataRecord) dump.metadata = data.slice();
      else if (record.type === stateRecord) dump.hardState = decodeHardState(data);
      else if (record.type === snapshotRecord) dump.marks.push(decodeSnapshotMark(data));
      else if (record.type === entryRecord) dump.entries.push(decodeEntry(data));
    },
  };
  return dump;
}

function show(
  print: (line: string) => void,
  dump: Dump,
  read: Segments,
  snapshots: readonly SnapshotFound[],
): void {
  print("Snapshot:");
  for (const { text, damage } of snapshots) print(damage === undefined ? text : `damaged: ${text}`);
  if (snapshots.length === 0) print("empty");
  print("Snapshot records:");
  for (const { index, term, confState } of dump.marks) {
    print(`term=${term} index=${index}${confState === undefined ? "" : ` ${members(confState)}`}`);
  }
  print("WAL metadata:");
  const { nodeId, clusterId, storeId } = readIds(dump.metadata);
  const { term, vote, commit } = dump.hardState ?? { term: 0, vote: 0, commit: 0 };
  print(
    `nodeID=${nodeId} clusterID=${clusterId} term=${term} commitIndex=${commit} vote=${vote.toString(16)}`,
  );
  if (storeId !== undefined) print(`storeID=${hex(storeId)}`);
  print(`WAL segments: ${read.segments.length}`);
  for (const segment of read.segments) print(segmentFile(segment));
  print(`WAL entries: ${dump.entries.length}`);
  print(`lastIndex=${read.replay.runs?.last ?? 0}`);
  print(`${"term".padStart(4)}\t${"index".padStart(10)}\ttype\tdata`);
  for (const entry of dump.entries) print(entryLine(entry));
  if (read.torn !== undefined) {
    print(`The last write is torn: ${read.torn} (offset ${read.end.offset}); opening repairs it.`);
  }
}

function entryLine(entry: Entry): string {
  const start = `${String(entry.term).padStart(4)}\t${String(entry.index).padStart(10)}`;
  if (entry.type === "EntryNormal") {
    const shown = entry.data.length === 0 ? "" : `\t${preview(entry.data)}`;
    return `${start}\tnorm${shown}`;
  }
  if (entry.type === "EntryConfChange") {
    const { type, nodeId } = decodeConfChangeV1(entry.data);
    return `${start}\tconf\tmethod=${type} id=${nodeId.toString(16)}`;
  }
  const { transition, changes } = decodeConfChangeV2(entry.data);
  const shown = changes.map(({ type, nodeId }) => `${type} ${nodeId.toString(16)}`);
  return `${start}\tconf\tmethod=${transition} [${shown.join(", ")}]`;
}

const previewBytes = 64;

/** Printable text as it is, anything else in hexadecimal; at most 64 bytes of it. */
function preview(data: Uint8Array): string {
  const part = data.subarray(0, previewBytes);
  const printable = part.every((byte) => byte >= 0x20 && byte < 0x7f);
  const shown = printable ? new TextDecoder().decode(part) : hex(part);
  return data.length > previewBytes ? `${shown}… (${data.length} bytes)` : shown;
}

function members({ voters, learners, votersOutgoing, learnersNext }: ConfState): string {
  const list = (ids: readonly number[]): string => ids.map((id) => id.toString(16)).join(" ");
  let text = `voters=[${list(voters)}] learners=[${list(learners)}]`;
  if (votersOutgoing.length > 0) text += ` outgoing=[${list(votersOutgoing)}]`;
  if (learnersNext.length > 0) text += ` next=[${list(learnersNext)}]`;
  return text;
}

/** Ids of any 64 bits: etcd's are random. */
function readIds(metadata: Uint8Array | undefined): {
  nodeId: string;
  clusterId: string;
  storeId: Uint8Array | undefined;
} {
  const ids = { nodeId: "0", clusterId: "0", storeId: undefined as Uint8Array | undefined };
  if (metadata === undefined) return ids;
  try {
    const reader = new Reader(metadata);
    while (reader.more()) {
      const tag = reader.tag();
      if (tag === 122) ids.storeId = reader.lengthDelimited();
      else {
        const from = reader.position;
        reader.skip(tag);
        const value = varintHex(metadata.subarray(from, reader.position));
        if (tag === 8) ids.nodeId = value;
        else if (tag === 16) ids.clusterId = value;
      }
    }
  } catch {
    ids.nodeId = `${preview(metadata)} (opaque)`;
  }
  return ids;
}

function varintHex(bytes: Uint8Array): string {
  let value = 0n;
  for (const [n, byte] of bytes.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * n);
  return value.toString(16);
}

function verdict(directory: Directory, wal: string, read: Segments, snapshots: number): string {
  const { replay, segments, end, torn } = read;
  const { commit } = replay.hardState;
  const last = replay.runs?.last ?? 0;
  const tail =
    torn === undefined ? "" : `; torn at offset ${end.offset} of the last segment, as a crash does`;
  return `${directory.name}/${wal}: ${segments.length} segments, last entry ${last}, commit ${commit}, ${snapshots} snapshots: whole${tail}`;
}

async function findFolder(
  directory: Directory,
  paths: readonly string[],
  wanted: RegExp,
): Promise<string | undefined> {
  for (const path of paths) {
    if ((await directory.list(path)).some((name) => wanted.test(name))) return path;
  }
  return undefined;
}

async function readSnapshots(directory: Directory, path: string): Promise<SnapshotFound[]> {
  const files = (await directory.list(path)).filter((name) => parseSnapshotFile(name)).sort();
  const found: SnapshotFound[] = [];
  for (const file of files) {
    try {
      const { metadata, bodyBytes } = await readSnapshotFile(directory, joinPath(path, file));
      const { term, index, confState } = metadata;
      const text = `term=${term} index=${index} ${members(confState)} bytes=${bodyBytes}`;
      found.push({ file, index, text, damage: undefined });
    } catch (error) {
      found.push({ file, index: -1, text: file, damage: (error as Error).message });
    }
  }
  return found;
}
