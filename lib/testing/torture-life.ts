/**
 * A node's life for the tortures, scripted from a seed, and the oracle that knows what a log must show after each step.
 *
 * Not here: what is done to the log (wal-torture.ts).
 */
import { type Random, seededRandom } from "../base/random.js";
import type { ConfState, Entry, Snapshot, SnapshotMetadata } from "../core/types.js";
import type { Loaded, OpenedStore, StorageWrite } from "../storage/storage.js";

const confState: ConfState = {
  voters: [1, 2, 3],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** The oracle's view after some write: what a load must show. */
export interface Expected {
  readonly term: number;
  readonly vote: number;
  readonly snapshot: number;
  /** Index to content, from the snapshot on. */
  readonly entries: ReadonlyMap<number, string>;
  readonly last: number;
}

export interface Step {
  run(store: OpenedStore): Promise<void>;
  readonly after: Expected;
}

/** A life as a node lives it: appending, voting, cutting its log, compacting, installing snapshots. */
export function scriptedLife({
  writes,
  seed,
}: {
  readonly writes: number;
  readonly seed: number;
}): Step[] {
  const random = seededRandom(seed);
  const steps: Step[] = [];
  let state: Expected = { term: 1, vote: 0, snapshot: 0, entries: new Map(), last: 0 };
  let commit = 0;
  for (let n = 0; n < writes; n++) {
    const kind = n === 0 ? 0 : random.below(12);
    let step: Step;
    if (kind === 10 && commit > state.snapshot) {
      step = compaction(state, commit, random);
      state = step.after;
    } else if (kind === 11) {
      const index = state.last + 1 + random.below(3);
      commit = index;
      step = installation(state, index, random);
      state = step.after;
    } else {
      const cut = kind < 3 ? random.below(state.last - commit + 1) : 0;
      const term = state.term + (cut > 0 || kind === 3 ? 1 : 0);
      step = appending(state, commit, cut, term, random);
      state = step.after;
      if (random.below(2) === 0) commit = Math.max(commit, state.last - random.below(4));
      commit = Math.min(commit, state.last);
    }
    steps.push(step);
  }
  return steps;
}

function appending(
  state: Expected,
  commit: number,
  cut: number,
  term: number,
  random: Random,
): Step {
  const first = state.last - cut + 1;
  const count = 1 + random.below(4);
  const kept = new Map([...state.entries].filter(([index]) => index < first));
  const added: Entry[] = [];
  for (let index = first; index < first + count; index++) {
    // Some reach over several sectors, of which a crash may keep any.
    const size = random.below(4) === 0 ? 400 + random.below(900) : 5 + random.below(90);
    const data = content(random, size);
    added.push({ term, index, type: "EntryNormal", data, unknown: undefined });
    kept.set(index, shownEntry(term, data));
  }
  const vote = term === state.term ? state.vote : random.below(4);
  const write: StorageWrite = {
    hardState: { term, vote, commit },
    snapshot: undefined,
    entries: added,
    sync: true,
  };
  return {
    run: (store) => store.storage.append(write),
    after: { ...state, term, vote, entries: kept, last: first + count - 1 },
  };
}

function compaction(state: Expected, commit: number, random: Random): Step {
  const term = Number((state.entries.get(commit) ?? `${state.term}:`).split(":")[0]);
  const metadata: SnapshotMetadata = { index: commit, term, confState };
  const body = content(random, 40);
  const upTo = random.below(commit + 1);
  return {
    async run(store) {
      const sink = await store.snapshots.write(metadata);
      await sink.write(body);
      await sink.finish();
      await store.storage.compact(metadata, upTo);
    },
    after: { ...state, snapshot: commit },
  };
}

function installation(state: Expected, index: number, random: Random): Step {
  const metadata: SnapshotMetadata = { index, term: state.term, confState };
  const snapshot: Snapshot = { metadata, data: content(random, 60), unknown: undefined };
  const term = state.term + 1;
  const data = content(random, 20);
  const follower: Entry = { term, index: index + 1, type: "EntryNormal", data, unknown: undefined };
  const write: StorageWrite = {
    hardState: { term, vote: 0, commit: index },
    snapshot,
    entries: [follower],
    sync: true,
  };
  const entries = new Map([[index + 1, shownEntry(term, data)]]);
  return {
    run: (store) => store.storage.append(write),
    after: { term, vote: 0, snapshot: index, entries, last: index + 1 },
  };
}

function content(random: Random, length: number): Uint8Array<ArrayBuffer> {
  // Never zero, so that an empty sector is always a torn one.
  return new Uint8Array(length).map(() => 1 + random.below(255));
}

function shownEntry(term: number, data: Uint8Array): string {
  let sum = 7;
  for (const byte of data) sum = (sum * 31 + byte) >>> 0;
  return `${term}:${data.length}:${sum}`;
}

/** What a load shows that differs from what is expected; undefined when nothing does. */
export function difference(loaded: Loaded, expected: Expected): string | undefined {
  const { hardState, entries, compacted, snapshot } = loaded;
  if (hardState.term !== expected.term) return `term ${hardState.term}, not ${expected.term}`;
  if (hardState.vote !== expected.vote) return `vote ${hardState.vote}, not ${expected.vote}`;
  if ((snapshot?.index ?? 0) !== expected.snapshot) {
    return `snapshot ${snapshot?.index ?? 0}, not ${expected.snapshot}`;
  }
  const last = entries.at(-1)?.index ?? compacted.index;
  if (last !== expected.last) return `last entry ${last}, not ${expected.last}`;
  for (const { index, term, data } of entries) {
    const wanted = expected.entries.get(index);
    if (wanted !== undefined && wanted !== shownEntry(term, data)) return `another entry ${index}`;
    if (wanted === undefined && index > expected.snapshot) return `an entry ${index}`;
  }
  return undefined;
}

/** As `difference`, for a load that may start from an older snapshot, or from none, as long as the log covers what came after it. */
export function differenceFromOlder(loaded: Loaded, expected: Expected): string | undefined {
  const { entries, snapshot, compacted } = loaded;
  const start = snapshot?.index ?? 0;
  if (start > expected.snapshot) return `snapshot ${start}, newer than ${expected.snapshot}`;
  if (compacted.index > start) return `a log after entry ${compacted.index}, and snapshot ${start}`;
  if (start < expected.snapshot && (entries[0]?.index ?? Number.POSITIVE_INFINITY) > start + 1) {
    return `snapshot ${start}, and a log from entry ${entries[0]?.index}`;
  }
  return difference({ ...loaded, snapshot: { ...noSnapshot, index: expected.snapshot } }, expected);
}

const noSnapshot: SnapshotMetadata = { index: 0, term: 0, confState };

/**
 * Whether a load is what a crash within one write may leave: the state before, the state after, or, of entries alone, some
 * of the first ones.
 */
export function isBetween(loaded: Loaded, before: Expected, after: Expected): boolean {
  if (difference(loaded, after) === undefined) return true;
  if (difference(loaded, before) === undefined) return true;
  if (before.snapshot !== after.snapshot) return false;
  // A prefix of the new entries over the old log; the HardState came last and is the old one.
  const { entries, compacted, hardState } = loaded;
  const last = entries.at(-1)?.index ?? compacted.index;
  const lastTerm = entries.at(-1)?.term ?? compacted.term;
  const term = Math.max(before.term, lastTerm);
  const vote = term > before.term ? 0 : before.vote;
  if (hardState.term !== term || hardState.vote !== vote || last > after.last) return false;
  return entries.every(({ index, term: own, data }) => {
    const shown = shownEntry(own, data);
    return index <= after.snapshot || after.entries.get(index) === shown;
  });
}
