/**
 * Nemesis: the fault script of a seed, and how each fault is done to a cluster.
 *
 * A script is data: what, when, to whom. It is drawn before anything runs, so it can be printed, shortened and kept. A target is a
 * slot, or whoever leads at that moment; a fault that makes no sense when its time comes does nothing.
 */
import type { Random } from "../base/random.js";
import type { ConfChangeSingle, ConfChangeV2, ConfState, NodeId } from "../core/types.js";
import { noBytes } from "../core/types.js";
import { type Arena, type CarryOut, isExpendable, type Script, type ScriptItem } from "./arena.js";
import type { SimPeer } from "./node-world.js";
import {
  type FaultKind,
  faultKinds,
  laterFaultKinds,
  pick,
  type SimOptions,
  stream,
} from "./sim-options.js";
import { storeFaults } from "./store-faults.js";
import type { Workload } from "./workload.js";

export function drawScript(options: SimOptions, workload: Workload): Script {
  const { seed, faultsMs, calls, clients, voters, spares } = options;
  const items: ScriptItem[] = [];
  const load = stream(seed, "workload");
  for (let i = 0; i < calls; i++) {
    const at = load.below(faultsMs);
    const client = load.below(clients);
    if (load.below(5) === 0) items.push({ at, kind: "read", client });
    else {
      const { name, input } = workload.call(load, i);
      items.push({ at, kind: "call", client, name, input });
    }
  }
  const drawAll = (kinds: readonly FaultKind[], random: Random): void => {
    for (const kind of kinds) {
      for (let i = 0; i < options.faults[kind]; i++)
        items.push(drawFault(kind, random, faultsMs, voters + spares));
    }
  };
  drawAll(faultKinds, stream(seed, "faults"));
  drawAll(laterFaultKinds, stream(seed, "later faults"));
  return items.sort((a, b) => a.at - b.at);
}

function drawFault(kind: FaultKind, random: Random, until: number, slots: number): ScriptItem {
  return {
    at: 200 + random.below(until - 200),
    kind,
    slot: random.below(slots),
    ms: pick(random, [20, 100, 300, 800, 1_500]) + random.below(50),
    draws: [random.below(1_000), random.below(1_000), random.below(1_000), random.below(1_000)],
  };
}

export function carryOut(arena: Arena, item: ScriptItem): void {
  if (item.kind === "call") arena.clients.call(item.client, item.name, item.input);
  else if (item.kind === "read") arena.clients.read(item.client);
  else {
    arena.sometimes(`fault: ${item.kind}`);
    const node = arena.nodes[item.slot % arena.nodes.length] as SimPeer;
    arena.log(node, `fault ${item.kind}`, item.ms);
    faults[item.kind](arena, node, item);
  }
}

const faults: Readonly<Record<FaultKind, CarryOut>> = {
  ...storeFaults,
  crash: (arena, node, { ms }) => crash(arena, node, ms),
  crashLeader: (arena, _node, { ms }) => withLeader(arena, (leader) => crash(arena, leader, ms)),
  crashAll: (arena, _node, { ms }) => {
    for (const node of arena.nodes) crash(arena, node, ms);
  },
  wipe(arena, node) {
    if (!isExpendable(arena, node)) return;
    arena.sometimes("store wiped");
    arena.reborn(node);
  },
  freeze: (arena, node, { ms }) => freeze(arena, node, ms),
  suspend(arena, node, { ms }) {
    freeze(arena, node, ms);
    for (const other of arena.nodes) {
      cutFor(arena, node.id, other.id, ms + 30);
      cutFor(arena, other.id, node.id, ms + 30);
    }
  },
  partition(arena, _node, { ms, draws }) {
    const side = (node: SimPeer): number => ((draws[0] ?? 0) >> node.slot) & 1;
    for (const a of arena.nodes)
      for (const b of arena.nodes) if (side(a) !== side(b)) cutFor(arena, a.id, b.id, ms);
  },
  isolateLeader: (arena, _node, { ms }) =>
    withLeader(arena, (leader) => {
      for (const other of arena.nodes) {
        cutFor(arena, leader.id, other.id, ms);
        cutFor(arena, other.id, leader.id, ms);
      }
    }),
  oneWay(arena, node, { ms, draws }) {
    for (const other of arena.nodes) {
      if (other !== node && ((draws[0] ?? 0) >> other.slot) & 1) {
        if ((draws[1] ?? 0) % 2 === 0) cutFor(arena, node.id, other.id, ms);
        else cutFor(arena, other.id, node.id, ms);
      }
    }
  },
  // One node sees everybody, the others only it.
  bridge(arena, node, { ms }) {
    for (const a of arena.nodes)
      for (const b of arena.nodes)
        if (a !== b && a !== node && b !== node) cutFor(arena, a.id, b.id, ms);
  },
  // Each sees the next one only, in an order of its own: quorums are there, and nobody sees one (the cases of OmniPaxos).
  chain: (arena, _node, { ms, draws }) => cutToNeighbours(arena, ms, draws[0] ?? 0, false),
  ring: (arena, _node, { ms, draws }) => cutToNeighbours(arena, ms, draws[0] ?? 0, true),
  // The leader sees just too few to lead (openraft #2080).
  minority: (arena, _node, { ms, draws }) =>
    withLeader(arena, (leader) => {
      const { voters } = leader.confState;
      const others = shuffled(
        arena.nodes.filter((node) => node !== leader),
        draws[0] ?? 0,
      );
      const kept = Math.max(0, Math.ceil(voters.length / 2) - 1);
      for (const other of others.filter(({ id }) => voters.includes(id)).slice(kept)) {
        cutFor(arena, leader.id, other.id, ms);
        cutFor(arena, other.id, leader.id, ms);
      }
    }),
  // A link that goes and comes, faster than an election takes.
  flap(arena, node, { ms, draws }) {
    const other = arena.nodes[(draws[0] ?? 0) % arena.nodes.length] as SimPeer;
    const halfMs = 10 + ((draws[1] ?? 0) % 80);
    for (let at = 0; at < 2 * ms; at += 2 * halfMs) {
      arena.after(at, () => {
        if (arena.network.calm) return;
        cutFor(arena, node.id, other.id, halfMs);
        cutFor(arena, other.id, node.id, halfMs);
      });
    }
  },
  // Whatever it hears and says is late: a busy machine, or one far away.
  slowPeer(arena, node, { ms }) {
    const { id } = node;
    arena.network.lag(id, 20 + ms / 8);
    arena.after(2 * ms, () => arena.network.lag(id, 0));
  },
  // Both ends dial at once: for a while there are two channels, of which one will stay.
  glare(arena, node, { ms, draws }) {
    for (const other of arena.nodes) {
      if (other !== node && ((draws[0] ?? 0) >> other.slot) & 1) {
        arena.network.glare(node.id, other.id, ms / 4);
      }
    }
  },
  clog(arena, node, { ms }) {
    const ids = arena.nodes.map(({ id }) => id);
    for (const id of ids) arena.network.clog(node.id, id);
    const from = node.id;
    arena.after(ms, () => {
      for (const id of ids) arena.network.unclog(from, id);
    });
  },
  slowDisk(arena, node, { ms }) {
    node.disk.slowMs = ms / 3;
    arena.after(2 * ms, () => {
      node.disk.slowMs = 0;
    });
  },
  failDisk(_arena, node) {
    node.disk.failNext = true;
  },
  transfer: (arena, node) => withLeader(arena, (leader) => leader.transfer(node.id)),
  campaign: (_arena, node) => {
    if (!node.frozen) node.campaign();
  },
  change: (arena, _node, { draws }) => withLeader(arena, (leader) => change(arena, leader, draws)),
  // Who was removed comes back, under a new identity.
  rejoin(arena) {
    const conf = arena.latestConf();
    for (const node of arena.nodes) {
      const member = memberIds(conf).includes(node.id);
      if (!member && node.running && node.applied > 0) {
        arena.sometimes("a removed node came back as another");
        arena.reborn(node);
        return;
      }
    }
  },
  clockJump(_arena, node, { draws }) {
    node.wallOffset = ((draws[0] ?? 0) - 500) * 7_200;
  },
  forgetLeader: (_arena, node) => {
    if (!node.frozen) node.forgetLeader();
  },
  requestSnapshot: (arena, node) => {
    if (!node.frozen && node.requestSnapshot()) arena.sometimes("somebody asked for a snapshot");
  },
};

function crash(arena: Arena, node: SimPeer, ms: number): void {
  if (!node.running) return;
  node.crash(arena.options.disk.survives);
  arena.after(ms, () => {
    if (!node.running && !arena.network.calm) node.start();
  });
}

function freeze(arena: Arena, node: SimPeer, ms: number): void {
  if (!node.running || node.frozen) return;
  node.frozenUntil = arena.now() + ms;
  const { life } = node;
  if (ms >= 3 * 10 * arena.options.tickMs) arena.sometimes("frozen for three election timeouts");
  arena.after(ms, () => {
    if (node.life === life) node.thaw();
  });
}

function cutFor(arena: Arena, from: NodeId, to: NodeId, ms: number): void {
  if (from === to || arena.network.isCut(from, to)) return;
  arena.network.cut(from, to);
  // Once the second phase has begun, cuts are as it has set them.
  arena.after(ms, () => {
    if (!arena.network.calm) arena.network.mend(from, to);
  });
}

function cutToNeighbours(arena: Arena, ms: number, draw: number, closed: boolean): void {
  const order = shuffled(arena.nodes, draw);
  for (const [i, a] of order.entries()) {
    for (const [j, b] of order.entries()) {
      const apart = Math.abs(i - j);
      const next = apart === 1 || (closed && apart === order.length - 1);
      if (i !== j && !next) cutFor(arena, a.id, b.id, ms);
    }
  }
}

/** An order that `draw` decides. */
function shuffled<T>(items: readonly T[], draw: number): T[] {
  const left = [...items];
  const order: T[] = [];
  for (let rest = draw; left.length > 0; rest = Math.floor(rest / 2) + 1)
    order.push(...left.splice(rest % left.length, 1));
  return order;
}

function withLeader(arena: Arena, act: (leader: SimPeer) => void): void {
  let found: SimPeer | undefined;
  for (const node of arena.nodes) {
    if (node.leads && !node.frozen && (found === undefined || node.term > found.term)) found = node;
  }
  if (found !== undefined) act(found);
}

export function memberIds({ voters, learners, votersOutgoing, learnersNext }: ConfState): NodeId[] {
  return [...new Set([...voters, ...learners, ...votersOutgoing, ...learnersNext])];
}

/** A change of membership as somebody might ask for; the core may refuse it. Only living stores are made voters. */
function change(arena: Arena, leader: SimPeer, draws: readonly number[]): void {
  const conf = leader.confState;
  const [a = 0, b = 0, c = 0, d = 0] = draws;
  const members = memberIds(conf);
  const outside = arena.nodes.map(({ id }) => id).filter((id) => !members.includes(id));
  const some = (ids: readonly NodeId[], draw: number): NodeId[] =>
    ids.length === 0 ? [] : [ids[draw % ids.length] as NodeId];
  const alive = (id: NodeId): boolean => !arena.isGone(id);
  const gone = conf.voters.filter((id) => !alive(id));
  const add =
    (type: ConfChangeSingle["type"]) =>
    (nodeId: NodeId): ConfChangeSingle => ({ type, nodeId });
  const asVoter = add("ConfChangeAddNode");
  const asLearner = add("ConfChangeAddLearnerNode");
  const remove = add("ConfChangeRemoveNode");
  let changes: ConfChangeSingle[] = [];
  switch (a % 8) {
    case 0:
      changes = some(outside, b).map(asLearner);
      break;
    case 1:
      changes = some(conf.learners.filter(alive), b).map(asVoter);
      break;
    case 2:
      changes = some(outside.filter(alive), b).map(asVoter);
      break;
    case 3:
      changes = [
        ...some(conf.voters, b).map(remove),
        ...some(outside.filter(alive), c).map(asVoter),
      ];
      break;
    case 4:
      changes = some(conf.voters, b).map(asLearner);
      break;
    case 5:
      changes =
        conf.votersOutgoing.length > 0 ? [] : some(gone.length > 0 ? gone : members, b).map(remove);
      break;
    case 6:
      changes = [
        ...some(conf.learners.filter(alive), b).map(asVoter),
        ...some(conf.voters, c).map(asLearner),
      ];
      break;
    default:
      changes = [];
  }
  // Who is left must be able to go on.
  const left = conf.voters.filter(
    (id) => !changes.some((one) => one.nodeId === id && one.type !== "ConfChangeAddNode"),
  );
  const after = [
    ...left,
    ...changes.filter(({ type }) => type === "ConfChangeAddNode").map(({ nodeId }) => nodeId),
  ];
  if (after.filter(alive).length * 2 <= after.length) return;
  if (changes.length === 0 && conf.votersOutgoing.length === 0) return;
  const transition = changes.length === 0 ? "auto" : pickTransition(d);
  const proposal: ConfChangeV2 = { transition, changes, context: noBytes, unknown: undefined };
  if (leader.proposeChange(proposal))
    arena.sometimes(`change of ${Math.min(changes.length, 2)} (${transition})`);
}

function pickTransition(draw: number): ConfChangeV2["transition"] {
  return (["auto", "auto", "jointImplicit", "jointExplicit"] as const)[
    draw % 4
  ] as ConfChangeV2["transition"];
}
