/**
 * What a simulated cluster is like: everything that is drawn from the seed before anything happens.
 *
 * Each seed switches a random part of the faults off (swarm testing): a fault that is always there hides what needs its absence.
 * The ranges follow TigerBeetle's VOPR. Every stream of randomness is its own, so that one more draw in one place does not
 * shuffle the others.
 */
import { type Random, seededRandom } from "../base/random.js";

/**
 * What the nodes are. "direct": a loop of the simulator's own around a core, over a disk of records: fast. The others are whole
 * RaftNodes, over the log in files or over IndexedDB.
 */
export type Environment = "direct" | "files" | "indexedDb";

export interface SimOptions {
  readonly seed: number;
  readonly environment: Environment;
  /** Voters at the start, in slots 0 … voters−1. */
  readonly voters: number;
  /** Slots with empty stores, which may be added. */
  readonly spares: number;
  /** Virtual milliseconds of the phase with faults. */
  readonly faultsMs: number;
  readonly tickMs: number;
  /** Ticks of different nodes differ by up to this part (0.1 = ±10 %). */
  readonly skew: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly reads: "safe" | "lease";
  readonly preVote: boolean;
  readonly batchAppends: boolean;
  readonly skipBroadcastCommit: boolean;
  readonly reportCommit: boolean;
  readonly inflightAppendsMax: number;
  readonly appendBytesMax: number;
  readonly uncommittedBytesMax: number;
  readonly applyUnpersisted: number;
  /** Milliseconds until a handed-out batch is applied; 0: at once. */
  readonly applyMs: number;
  readonly snapshotEntries: number;
  readonly trailing: number;
  readonly clients: number;
  /** Calls and reads in the phase with faults. */
  readonly calls: number;
  readonly network: NetworkOptions;
  readonly disk: DiskOptions;
  /** Bytes of a segment of the log in files. */
  readonly segmentBytes: number;
  /** How many of each fault the schedule holds. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** What becomes of those outside of the core in the second phase. */
  readonly others: "dead" | "cut" | "deaf" | "healed";
}

export interface NetworkOptions {
  /** "datagram" may lose and reorder; "channel" is reliable and ordered while it stands, as WebRTC's is. */
  readonly model: "datagram" | "channel";
  readonly minMs: number;
  readonly meanMs: number;
  /** Probabilities per message; 0 with "channel". */
  readonly loss: number;
  readonly duplicate: number;
  /** Probability that a message is delivered once more much later. */
  readonly replay: number;
  /** Frames of an earlier life of either end, or of a channel that was rebuilt, are dropped. */
  readonly generations: boolean;
}

export interface DiskOptions {
  readonly meanMs: number;
  /** Probability that what was not flushed, or was under way, survives a crash. */
  readonly survives: number;
}

export const faultKinds = [
  "crash",
  "crashLeader",
  "crashAll",
  "wipe",
  "freeze",
  "suspend",
  "partition",
  "isolateLeader",
  "oneWay",
  "bridge",
  "clog",
  "slowDisk",
  "failDisk",
  "transfer",
  "campaign",
  "change",
  "rejoin",
  "clockJump",
  "forgetLeader",
  "requestSnapshot",
] as const;
/** Drawn apart from those above, so that a seed's other faults stay what they were. Those from "rollBack" to "takeDatabase" are of real stores. */
export const laterFaultKinds = [
  "glare",
  "slowPeer",
  "rollBack",
  "clone",
  "lyingFlush",
  "bitRot",
  "takeDatabase",
  "ring",
  "chain",
  "minority",
  "flap",
] as const;
export type FaultKind = (typeof faultKinds)[number] | (typeof laterFaultKinds)[number];

/** A stream of its own for one concern. */
export function stream(seed: number, concern: string): Random {
  let mixed = seed | 0;
  for (let i = 0; i < concern.length; i++) {
    mixed = Math.imul(mixed ^ concern.charCodeAt(i), 0x01000193);
    mixed ^= mixed >>> 13;
  }
  return seededRandom(mixed >>> 0);
}

export function chance(random: Random, probability: number): boolean {
  return probability > 0 && random.below(1_000_000) < probability * 1_000_000;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** Exponential with the given mean, at most ten times it. */
export function exponential(random: Random, mean: number): number {
  const uniform = (random.below(1_000_000) + 1) / 1_000_001;
  return Math.min(10 * mean, -Math.log(uniform) * mean);
}

export function drawOptions(seed: number): SimOptions {
  const random = stream(seed, "options");
  const voters = pick(random, [1, 2, 3, 3, 3, 3, 4, 5, 5]);
  const lease = random.below(8) === 0;
  const channel = random.below(2) === 0;
  const around = stream(seed, "environment");
  const environment = pick(around, environments);
  return {
    seed,
    environment,
    segmentBytes: pick(around, [600, 2_000, 16_000]),
    voters,
    spares: pick(random, [0, 1, 1, 2]),
    faultsMs: 3_000 + random.below(2_000),
    tickMs: 10,
    skew: lease ? 0 : pick(random, [0, 0.1, 0.2]),
    electionTicks: 10,
    heartbeatTicks: pick(random, [1, 2, 3]),
    reads: lease ? "lease" : "safe",
    preVote: lease || random.below(10) > 0,
    batchAppends: random.below(3) === 0,
    skipBroadcastCommit: random.below(4) === 0,
    reportCommit: random.below(4) > 0,
    inflightAppendsMax: pick(random, [1, 2, 4, 256]),
    appendBytesMax: pick(random, [0, 100, 400, 1_000_000]),
    uncommittedBytesMax: pick(random, [400, 2_000, Number.POSITIVE_INFINITY]),
    applyUnpersisted: pick(random, [0, 0, 0, 3]),
    applyMs: pick(random, [0, 0, 5, 30]),
    snapshotEntries: pick(random, [4, 10, 30, 1_000]),
    trailing: pick(random, [0, 0, 2, 10]),
    clients: 1 + random.below(4),
    calls: 40 + random.below(60),
    network: {
      model: channel ? "channel" : "datagram",
      minMs: random.below(5),
      meanMs: 1 + random.below(pick(random, [5, 20, 60])),
      loss: channel ? 0 : pick(random, [0, 0.02, 0.1, 0.25]),
      duplicate: channel ? 0 : pick(random, [0, 0.05, 0.3]),
      replay: channel ? 0 : pick(random, [0, 0.01, 0.05]),
      generations: random.below(2) === 0,
    },
    disk: { meanMs: pick(random, [0, 1, 5, 40]), survives: pick(random, [0, 0.5, 1]) },
    faults: {
      ...drawFaults(random, lease, faultKinds),
      ...drawFaults(around, lease, laterFaultKinds),
    },
    others: pick(random, ["dead", "cut", "deaf", "healed"]),
  };
}

/** Those after which a leader's clock is not as it thinks: leases do not hold then, and are not meant to. */
const againstLeases: readonly FaultKind[] = ["freeze", "suspend", "clone"];
const environments: readonly Environment[] = [
  "direct",
  "direct",
  "direct",
  "direct",
  "files",
  "files",
  "indexedDb",
  "indexedDb",
];

function drawFaults<Kind extends FaultKind>(
  random: Random,
  lease: boolean,
  kinds: readonly Kind[],
): Record<Kind, number> {
  const faults = {} as Record<Kind, number>;
  for (const kind of kinds) {
    const on = random.below(2) === 0 && !(lease && againstLeases.includes(kind));
    faults[kind] = on ? 1 + random.below(kind === "change" ? 10 : 3) : 0;
  }
  return faults;
}
