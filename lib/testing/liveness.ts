/**
 * The second phase of a seed: a random quorum is healed, everything else stays as bad as it is, and the quorum must recover.
 *
 * Within a bounded time it must lead, answer and agree, and from then on nothing may move (liveness-checks.ts: L1–L8).
 */
import { decodeConfChange } from "../core/confchange-codec.js";
import { describeProgress } from "../core/describe.js";
import type { Raft } from "../core/raft.js";
import { raftOf } from "../core/raw-node.js";
import { type ConfState, type NodeId, noBytes } from "../core/types.js";
import { afterChange, isQuorum } from "./conf-model.js";
import type { EventQueue } from "./event-queue.js";
import type { Ledger } from "./ledger.js";
import * as check from "./liveness-checks.js";
import { memberIds } from "./nemesis.js";
import type { SimNetwork } from "./network.js";
import type { SimPeer } from "./node-world.js";
import { longestWaitMs, type SimClients } from "./sim-clients.js";
import { pick, type SimOptions, stream } from "./sim-options.js";
import { hashBytes } from "./trace-hash.js";
import type { Steps } from "./turns.js";
import { Violation } from "./violation.js";

/** What is healed. */
export interface Ailing {
  readonly options: SimOptions;
  readonly queue: EventQueue;
  readonly ledger: Ledger;
  readonly network: SimNetwork;
  readonly nodes: readonly SimPeer[];
  readonly clients: SimClients;
  /** Who leads the latest term. */
  readonly leader: SimPeer | undefined;
  /** Its store was wiped, and the id with it. */
  isGone(id: NodeId): boolean;
  runUntil(until: number, done: () => boolean): Steps<boolean>;
}

/** Election timeouts within which the core must have recovered. */
const recoverTimeouts = 60;
/** Election timeouts for which it must then stay as it is. */
const stayTimeouts = 20;

export function* checkLiveness(simulation: Ailing): Steps<void> {
  const { options, queue, ledger } = simulation;
  const core = chooseCore(simulation);
  if (core === undefined) {
    ledger.note("no quorum was left to recover");
    return;
  }
  const atHealing = Math.max(...simulation.nodes.map(termOf));
  heal(simulation, core);
  const timeoutMs = options.electionTicks * options.tickMs * (1 + options.skew);
  const slowest = 20 * (options.network.minMs + options.disk.meanMs + options.applyMs);
  const until = queue.now + recoverTimeouts * (timeoutMs + slowest);
  const leaveJoint = (): void => {
    const leader = simulation.leader;
    if (
      leader !== undefined &&
      leader.confState.votersOutgoing.length > 0 &&
      !leader.confState.autoLeave
    ) {
      leader.proposeChange({
        transition: "auto",
        changes: [],
        context: noBytes,
        unknown: undefined,
      });
    }
    queue.after(10 * options.tickMs, leaveJoint);
  };
  leaveJoint();
  let unmet = "L1";
  const met = (): boolean => {
    unmet = firstUnmet(simulation, core) ?? "";
    return unmet === "";
  };
  // What held at the moment of healing may fall once more, when a leader finds that it had lost its quorum.
  do {
    let recovered = yield* simulation.runUntil(until, met);
    // A cluster that has recovered answers a client when it asks again, which may be later still.
    if (unmet === "L2") recovered = yield* simulation.runUntil(until + longestWaitMs, met);
    if (!recovered) throw new Violation(unmet, situation(simulation, core, unmet));
  } while (!(yield* stays(simulation, core, stayTimeouts * timeoutMs, queue.now < until)));
  if (options.preVote) {
    // A flush takes up to ten times the mean.
    const flushMs = 10 * options.disk.meanMs;
    const most = check.termsMax(flushMs, options.electionTicks * options.tickMs, recoverTimeouts);
    check.termsSettle(atHealing, simulation.leader?.term ?? atHealing, most);
  }
  ledger.note("recovered");
}

function describePeers(raft: Raft): string {
  return raft.tracker.peers
    .map(({ id, progress }) => `${id}: ${describeProgress(progress)}`)
    .join("; ");
}

function situation(simulation: Ailing, core: readonly SimPeer[], unmet: string): string {
  const ids = core.map(({ id }) => id).join();
  const nodes = core.map((node) => {
    const raft = raftAt(node);
    const peers = raft?.role === "leader" ? ` (${describePeers(raft)})` : "";
    return `${node.id}: ${raft?.role} term ${raft?.term} leader ${raft?.leader} commit ${raft?.log.committed} applied ${node.applied}${peers}`;
  });
  return `not within ${recoverTimeouts} election timeouts after healing ${ids} (${unmet}, others ${simulation.options.others}); ${nodes.join("; ")}; ${simulation.clients.waiting} operations wait`;
}

/** A smallest set of living stores that is a quorum, chosen at random. */
function chooseCore(simulation: Ailing): SimPeer[] | undefined {
  const { ledger, options, nodes } = simulation;
  const random = stream(options.seed, "core");
  const core = new Set<NodeId>();
  const sound = nodes.filter((node) => node.sound);
  const since = (some: readonly SimPeer[]): ConfState[] =>
    ledger.confsInUse(some.map(({ applied }) => applied));
  const running = sound.filter((node) => node.running);
  const votersOf = since(running).flatMap((one) => [...one.voters, ...one.votersOutgoing]);
  const left = sound.filter(({ id }) => votersOf.includes(id));
  const enough = (): boolean =>
    since(running.filter(({ id }) => core.has(id))).every((one) =>
      isQuorum(one, (id) => core.has(id)),
    );
  while (!enough()) {
    if (left.length === 0) return undefined;
    const node = pick(random, left);
    left.splice(left.indexOf(node), 1);
    core.add(node.id);
  }
  // A change may be in their logs that makes others voters: then all of the living are needed, and must be enough.
  const coming = comingConfs(simulation, core);
  if (coming.length > 0) for (const node of sound) core.add(node.id);
  if (!coming.every((one) => isQuorum(one, (id) => core.has(id)))) return undefined;
  return nodes.filter(({ id }) => core.has(id));
}

/** What changes that somebody of the core holds, and nobody has seen committed, would lead to. */
function comingConfs({ ledger, nodes }: Ailing, core: ReadonlySet<NodeId>): ConfState[] {
  const confs: ConfState[] = [];
  for (const node of nodes) {
    if (!core.has(node.id)) continue;
    // Also what it holds in memory alone: it will write it.
    const { core: running } = node;
    const log = running === undefined ? undefined : raftOf(running).log;
    const held = log?.slice(log.firstIndex, log.lastIndex + 1, Number.POSITIVE_INFINITY) ?? [];
    for (const entry of [...node.disk.flushed.entries, ...held]) {
      if (entry.type === "EntryNormal" || entry.index <= ledger.lastCommitted) continue;
      confs.push(afterChange(ledger.latestConf, decodeConfChange(entry)));
    }
  }
  return confs;
}

function heal(simulation: Ailing, core: readonly SimPeer[]): void {
  const { nodes, network, options, clients } = simulation;
  network.calm = true;
  const inside = (node: SimPeer): boolean => core.includes(node);
  for (const a of nodes) {
    for (const b of nodes) {
      network.unclog(a.id, b.id);
      network.mend(a.id, b.id);
      const apart = inside(a) !== inside(b);
      if (apart && (options.others === "cut" || (options.others === "deaf" && inside(a))))
        network.cut(a.id, b.id);
    }
  }
  clients.slots = core.map(({ slot }) => slot);
  clients.patient = true;
  for (const node of nodes) {
    node.disk.slowMs = 0;
    node.disk.failNext = false;
    if (!inside(node) && options.others === "dead") {
      node.crash(1);
      continue;
    }
    if (node.running && node.frozen) node.thaw();
    if (!node.running) node.start();
  }
}

/** The core as the checks see it. */
function viewOf(simulation: Ailing, core: readonly SimPeer[]): check.CoreView {
  const leader = simulation.leader;
  const raft = leader === undefined ? undefined : raftAt(leader);
  return {
    leader: leader === undefined || raft === undefined ? undefined : leaderView(leader, raft),
    members: core.map(memberView),
    waiting: simulation.clients.waiting,
  };
}

function leaderView(leader: SimPeer, { tracker, log, term }: Raft): check.LeaderView {
  return {
    id: leader.id,
    term,
    committed: log.committed,
    lastIndex: log.lastIndex,
    joint: leader.confState.votersOutgoing.length > 0,
    isVoter: (id) => tracker.isVoter(id),
    progressOf: (id) => tracker.progress.get(id)?.state,
  };
}

function memberView(node: SimPeer): check.MemberView {
  const raft = raftAt(node);
  return {
    id: node.id,
    running: node.running,
    follows: raft?.leader ?? 0,
    term: node.term,
    applied: node.applied,
    stateHash() {
      let hash = 0;
      for (const chunk of node.replica.snapshot()) hash = hashBytes(hash, chunk);
      return hash;
    },
  };
}

function firstUnmet(simulation: Ailing, core: readonly SimPeer[]): string | undefined {
  const { leader, clients } = simulation;
  const view = viewOf(simulation, core);
  if (leader !== undefined && check.isLed(view)) {
    // Who is no member learns of nothing: clients sit with those who are.
    const members = memberIds(leader.confState);
    clients.slots = core.filter(({ id }) => members.includes(id)).map(({ slot }) => slot);
  }
  return check.firstUnmet(view);
}

/** From here on nothing may move: same leader, same term, and few messages. False: it fell, and may once more. */
function* stays(
  simulation: Ailing,
  core: readonly SimPeer[],
  ms: number,
  again: boolean,
): Steps<boolean> {
  const { queue, leader, options } = simulation;
  if (leader === undefined) return false;
  const { term } = leader;
  const before = simulation.ledger.messages;
  const fell = (): boolean => !leader.leads || leader.term !== term;
  yield* simulation.runUntil(queue.now + ms, fell);
  if (fell() && options.preVote) {
    if (again) return false;
    check.leaderStays(leader.id, term, leader.leads, leader.term);
  }
  const view = viewOf(simulation, core);
  check.noStorm(simulation.ledger.messages - before, simulation.nodes.length, ms / options.tickMs);
  if (options.preVote) check.outsidersRaiseNoTerm(term, view);
  check.statesAgree(view);
  return true;
}

/** What a node that is down will go on from is on its disk. */
function termOf({ term, disk }: SimPeer): number {
  return Math.max(term, disk.flushed.hardState.term);
}

function raftAt({ core }: SimPeer): Raft | undefined {
  return core === undefined ? undefined : raftOf(core);
}
