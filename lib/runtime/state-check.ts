/**
 * State check: whether all replicas hold the same state, by hashes taken at one entry of the log (DESIGN §10).
 *
 * A leader puts a marker into the log; every node hashes its machine's snapshot as it applies the marker, and tells the leader. What the
 * majority of voters has is right: others restore from a snapshot of the leader, and a leader that is itself among the others first
 * hands over to one of the majority, which then checks again. Without a majority nobody restores, and nobody may guess.
 *
 * The hash costs a walk over the whole state, between two commands, on every node: check now and then.
 */
import type { Cancel, Clock } from "../base/clock.js";
import { crc32c } from "../base/crc32c.js";
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
  /** Who holds another state than the majority of voters; undefined where no state has a majority. */
  readonly minority: readonly NodeId[] | undefined;
}

export function hashState(id: number, index: Index, chunks: Iterable<Uint8Array>): StateHash {
  let crc = 0;
  let length = 0;
  for (const chunk of chunks) {
    crc = crc32c(chunk, crc);
    length += chunk.length;
  }
  return { id, index, length, crc };
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
  return { index, answered: [...hashes.keys()], minority };
}

/** Answers to one check, as they come in. */
export class StateCheck {
  readonly id: number;
  readonly #members: ReadonlySet<NodeId>;
  readonly #voters: readonly NodeId[];
  readonly #hashes = new Map<NodeId, StateHash>();
  readonly #late: Cancel;
  readonly #done: (verdict: StateVerdict) => void;
  #over = false;

  constructor(
    id: number,
    members: ReadonlySet<NodeId>,
    voters: readonly NodeId[],
    { clock, waitMs }: { readonly clock: Clock; readonly waitMs: number },
    done: (verdict: StateVerdict) => void,
  ) {
    this.id = id;
    this.#members = members;
    this.#voters = voters;
    this.#done = done;
    this.#late = clock.after(waitMs, () => this.#end());
  }

  answered(from: NodeId, hash: StateHash): void {
    if (this.#over || hash.id !== this.id || !this.#members.has(from)) return;
    this.#hashes.set(from, hash);
    if (this.#hashes.size === this.#members.size) this.#end();
  }

  close(): void {
    this.#over = true;
    this.#late();
  }

  #end(): void {
    this.close();
    const index = [...this.#hashes.values()][0]?.index ?? 0;
    this.#done(judge(index, this.#voters, this.#hashes));
  }
}
