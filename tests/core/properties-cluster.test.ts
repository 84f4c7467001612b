/**
 * Figure 3 of the Raft paper (figure 3.2 of the dissertation): what holds at all times, whatever the network, the disks and the
 * clocks do. Each run is one seed: nodes 1–3 found the cluster, 4 and 5 may be added; messages are lost, repeated and
 * overtake each other; disks stall; nodes crash and forget what was not written; logs are compacted.
 *
 * After every action: Election Safety, Log Matching, Leader Completeness and State Machine Safety.
 */
import { expect, test } from "vitest";
import { equalBytes } from "../../lib/base/bytes.js";
import { type Random, seededRandom } from "../../lib/base/random.js";
import type { Config } from "../../lib/core/config.js";
import type {
  ConfChangeSingle,
  Entry,
  Index,
  Message,
  NodeId,
  Term,
} from "../../lib/core/types.js";
import { bytes, Member, votersOnly } from "./network.js";

const ids: readonly NodeId[] = [1, 2, 3, 4, 5];
const actions = 600;
const none = new Uint8Array(0);

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)] as T;

class Chaos {
  readonly members: readonly Member[];
  private readonly random: Random;
  private readonly air: Message[] = [];
  private readonly leaderOf = new Map<Term, NodeId>();
  /** Every entry that was ever applied anywhere. */
  private readonly chosen = new Map<Index, Entry>();
  private readonly checked = new Map<Member, number>();
  private proposals = 0;

  constructor(seed: number, config: Partial<Config>) {
    this.random = seededRandom(seed);
    this.members = ids.map(
      (id) =>
        new Member(id, {
          // Newcomers too: the log they will be sent begins with this configuration.
          confState: votersOnly(1, 2, 3),
          config: { ...config, random: this.random, electionTicks: 5 },
        }),
    );
  }

  act(): void {
    const member = pick(this.random, this.members);
    const dice = this.random.below(100);
    if (dice < 45) this.deliver();
    else if (dice < 75) member.node.tick();
    else if (dice < 84) member.node.propose(bytes(`${++this.proposals}`));
    else if (dice < 88) this.changeMembership(member);
    else if (dice < 91) member.diskStalls = true;
    else if (dice < 95) member.diskRecovers();
    else if (dice < 97) member.restart();
    else if (dice < 98) member.node.transferLeader(pick(this.random, ids));
    else member.compact(this.random.below(4));
    this.flush(member);
  }

  /** Everybody's disk works, nothing is lost, time passes: does somebody lead, and can write? */
  recovers(): boolean {
    for (const member of this.members) member.diskRecovers();
    for (let tick = 0; tick < 60; tick++) {
      for (const member of this.members) {
        member.node.tick();
        this.flush(member);
      }
      for (let left = 2000; this.air.length > 0 && left > 0; left--) {
        this.stepTo(this.air.shift() as Message);
      }
    }
    const leader = this.members.find((member) => member.role === "leader");
    if (leader === undefined) return false;
    leader.node.propose(bytes("last"));
    const before = leader.applied.length;
    for (let left = 2000; left > 0; left--) {
      this.flush(leader);
      if (this.air.length === 0) break;
      this.stepTo(this.air.shift() as Message);
    }
    return leader.applied.length > before;
  }

  private changeMembership(member: Member): void {
    const change = (): ConfChangeSingle => ({
      type: pick(this.random, [
        "ConfChangeAddNode",
        "ConfChangeAddNode",
        "ConfChangeRemoveNode",
        "ConfChangeAddLearnerNode",
      ] as const),
      nodeId: pick(this.random, ids),
    });
    const changes = Array.from({ length: this.random.below(3) }, change);
    const transition = pick(this.random, ["auto", "jointImplicit", "jointExplicit"] as const);
    member.node.proposeConfChange({ transition, changes, context: none, unknown: undefined });
  }

  private deliver(): void {
    if (this.air.length === 0) return;
    const at = this.random.below(this.air.length);
    const message = this.air[at] as Message;
    // Sometimes it comes again later.
    if (this.random.below(10) > 0) this.air.splice(at, 1);
    if (this.random.below(10) > 0) this.stepTo(message);
  }

  private stepTo(message: Message): void {
    const receiver = this.members[message.to - 1];
    if (receiver === undefined) return;
    receiver.node.step(message);
    if (message.type === "MsgSnap")
      this.members[message.from - 1]?.node.reportSnapshot(message.to, "arrived");
    this.flush(receiver);
  }

  private flush(member: Member): void {
    this.air.push(...member.take());
    this.check(member);
  }

  private check(member: Member): void {
    if (member.node.stopped !== undefined) throw member.node.stopped;
    this.stateMachineSafety(member);
    this.electionSafety(member);
    this.logMatching(member);
  }

  private stateMachineSafety(member: Member): void {
    for (const entry of member.applied.slice(this.checked.get(member) ?? 0)) {
      const other = this.chosen.get(entry.index);
      if (other === undefined) this.chosen.set(entry.index, entry);
      else same(entry, other, "applied");
    }
    this.checked.set(member, member.applied.length);
  }

  private electionSafety(member: Member): void {
    if (member.role !== "leader") return;
    const known = this.leaderOf.get(member.term);
    if (known === member.id) return;
    if (known !== undefined) throw new Error(`${known} and ${member.id} lead term ${member.term}`);
    this.leaderOf.set(member.term, member.id);
    // Leader Completeness: what was applied anywhere is in the new leader's log.
    const { firstIndex, lastIndex } = member.node.status();
    for (const [index, { term }] of this.chosen) {
      if (index < firstIndex) continue;
      if (index > lastIndex || member.node.termAt(index) !== term) {
        throw new Error(
          `${member.id} leads term ${member.term} without entry ${index} of term ${term}`,
        );
      }
    }
  }

  /** Same index and term: same entry, and the same before it. Looked at where the logs of two disks end. */
  private logMatching(member: Member): void {
    const other = pick(this.random, this.members);
    const theirs = new Map(other.disk.entries.map((entry) => [entry.index, entry]));
    let agreed = false;
    for (const entry of [...member.disk.entries].reverse()) {
      const twin = theirs.get(entry.index);
      if (twin === undefined) continue;
      if (twin.term === entry.term) agreed = true;
      if (agreed) same(entry, twin, "stored");
    }
  }
}

function same(a: Entry, b: Entry, what: string): void {
  if (a.term === b.term && a.type === b.type && equalBytes(a.data, b.data)) return;
  throw new Error(`two entries ${what} at ${a.index}, of terms ${a.term} and ${b.term}`);
}

interface Kind {
  readonly name: string;
  readonly config: Partial<Config>;
  readonly seeds: number;
  /** Without PreVote and CheckQuorum a removed server may disrupt the others for ever (dissertation §4.2.3). */
  readonly live: boolean;
}

const longest = 60_000;
const calm: Partial<Config> = { preVote: true, checkQuorum: true };
const kinds: readonly Kind[] = [
  { name: "as in the paper", config: {}, seeds: 40, live: false },
  { name: "with PreVote and CheckQuorum", config: calm, seeds: 40, live: true },
  {
    name: "with one entry per message, small windows and small batches",
    config: { ...calm, appendBytesMax: 0, inflightAppendsMax: 2, applyBytesMax: 20 },
    seeds: 20,
    live: true,
  },
  { name: "with appends joined", config: { ...calm, batchAppends: true }, seeds: 20, live: true },
];
test.each(kinds)(
  "figure 3 holds whatever happens, $name ($seeds seeds)",
  { timeout: longest },
  (kind) => {
    for (let seed = 1; seed <= kind.seeds; seed++) {
      const chaos = new Chaos(seed, kind.config);
      try {
        for (let i = 0; i < actions; i++) chaos.act();
        const writes = chaos.recovers();
        if (kind.live) expect(writes, "somebody can write once the faults are over").toBe(true);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  },
);
