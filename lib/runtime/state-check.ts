/**
 * State check: whether all replicas hold the same state, by hashes taken at one entry of the log (DESIGN §10).
 *
 * A leader puts a marker into the log; every node hashes its machine's snapshot as of the marker, and tells the leader. What the
 * majority of voters has is right: others restore from a snapshot of the leader, and a leader that is itself among the others first
 * hands over to one of the majority, which then checks again. Without a majority nobody restores, and nobody may guess.
 *
 * The hash costs a walk over the whole state on every node, in slices with timers in between.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { crc32c } from "../base/crc32c.js";
import type { LogboomError } from "../base/errors.js";
import type { Index, NodeId } from "../core/types.js";

/** A state as of one entry: its length and CRC-32C. */
export interface StateHash {
  readonly id: number;
  readonly index: Index;
  readonly length: number;
  readonly crc: number;
}

export interface StateVerdict {
  readonly index: Index;
  /** Who answered in time. */
  readonly answered: readonly NodeId[];
  /** Different states among them; above 1, replicas differ. */
  readonly states: number;
  /** Who holds another state than the majority of voters; undefined where no state has a majority. */
  readonly minority: readonly NodeId[] | undefined;
}

/** Bytes hashed in one go: some milliseconds. */
const sliceBytes = 2 * 1024 * 1024;

/** Hashes `chunks` in slices and calls `done`, unless it is cancelled first. What `chunks` throws is passed to `failed`. */
export function hashState(
  clock: Clock,
  { id, index, chunks }: { id: number; index: Index; chunks: Iterable<Uint8Array> },
  done: (hash: StateHash) => void,
  failed: (error: unknown) => void,
): Cancel {
  const iterator = chunks[Symbol.iterator]();
  let crc = 0;
  let length = 0;
  let later: Cancel = () => {};
  const slice = (): void => {
    const until = length + sliceBytes;
    try {
      while (length < until) {
        const next = iterator.next();
        if (next.done === true) {
          done({ id, index, length, crc });
          return;
        }
        crc = crc32c(next.value, crc);
        length += next.value.length;
      }
    } catch (error) {
      failed(error);
      return;
    }
    later = clock.after(0, slice);
  };
  later = clock.after(0, slice);
  return () => later();
}

/** Pure. `voters` decide, whoever answered is judged. */
export function judge(
  index: Index,
  voters: readonly NodeId[],
  hashes: ReadonlyMap<NodeId, StateHash>,
): StateVerdict {
  const key = ({ length, crc }: StateHash): string => `${length} ${crc}`;
  const counts = new Map<string, number>();
  for (const voter of voters) {
    const hash = hashes.get(voter);
    if (hash !== undefined) counts.set(key(hash), (counts.get(key(hash)) ?? 0) + 1);
  }
  const right = [...counts].find(([, count]) => count > voters.length / 2)?.[0];
  const minority =
    right === undefined
      ? undefined
      : [...hashes].filter(([, hash]) => key(hash) !== right).map(([node]) => node);
  const states = new Set([...hashes.values()].map(key)).size;
  return { index, answered: [...hashes.keys()], states, minority };
}

export interface StateCheckOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  /** How long the others may take longer than this node. */
  readonly waitMs: number;
  leads(): boolean;
}

/** Answers to one check, as they come in. */
export class StateCheck {
  readonly id: number;
  /** Rejects with what `close` was given. */
  readonly verdict: Promise<StateVerdict>;
  readonly #options: StateCheckOptions;
  readonly #members: ReadonlySet<NodeId>;
  readonly #voters: readonly NodeId[];
  readonly #hashes = new Map<NodeId, StateHash>();
  #late: Cancel = () => {};
  #resolve!: (verdict: StateVerdict) => void;
  #reject!: (error: LogboomError) => void;
  #over = false;

  constructor(
    id: number,
    members: ReadonlySet<NodeId>,
    voters: readonly NodeId[],
    options: StateCheckOptions,
  ) {
    this.id = id;
    this.#members = members;
    this.#voters = voters;
    this.#options = options;
    this.verdict = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#wait();
  }

  answered(from: NodeId, hash: StateHash): void {
    if (this.#over || hash.id !== this.id || !this.#members.has(from)) return;
    this.#hashes.set(from, hash);
    if (this.#hashes.size === this.#members.size) this.#end();
    else if (from === this.#options.self) this.#wait();
  }

  close(error: LogboomError): void {
    if (this.#over) return;
    this.#over = true;
    this.#late();
    this.#reject(error);
  }

  #wait(): void {
    const { clock, waitMs, self, leads } = this.#options;
    this.#late();
    this.#late = clock.after(waitMs, () => {
      // A large state takes its time here as it does elsewhere.
      if (leads() && !this.#hashes.has(self)) this.#wait();
      else this.#end();
    });
  }

  #end(): void {
    this.#over = true;
    this.#late();
    const index = [...this.#hashes.values()][0]?.index ?? 0;
    this.#resolve(judge(index, this.#voters, this.#hashes));
  }
}
