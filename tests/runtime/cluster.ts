/**
 * RaftNodes in one process: real cores, stores in memory, a network that can be cut, and a clock that moves when the test says so.
 */
import type { Clock } from "../../lib/base/clock.js";
import { LogboomError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/random.js";
import type { NodeId } from "../../lib/core/types.js";
import type { RaftNodeOptions } from "../../lib/runtime/node-options.js";
import { RaftNode } from "../../lib/runtime/raft-node.js";
import type { AppliedEntry, StateMachine } from "../../lib/runtime/state-machine.js";
import {
  createMemoryMedium,
  type MemoryMedium,
  openMemoryStore,
} from "../../lib/storage/memory.js";
import type { OpenedStore } from "../../lib/storage/storage.js";
import { createVirtualClock, type VirtualClock } from "../../lib/testing/virtual-clock.js";
import {
  createMemoryNetwork,
  type MemoryNetwork,
  type MemoryNetworkOptions,
} from "../../lib/transport/memory.js";
import type { Transport } from "../../lib/transport/transport.js";

/** Keeps every command it was given; answers with how many there are. */
export class Journal implements StateMachine<number> {
  commands: string[] = [];
  apply({ data }: AppliedEntry): number {
    return this.commands.push(new TextDecoder().decode(data));
  }
  snapshot(): Iterable<Uint8Array> {
    return [bytes(JSON.stringify(this.commands))];
  }
  restore(body: Uint8Array): void {
    try {
      this.commands = JSON.parse(new TextDecoder().decode(body));
    } catch (cause) {
      throw new LogboomError("DECODE", "not a journal", { cause });
    }
  }
}

export interface TestNode {
  readonly node: RaftNode<number>;
  readonly machine: Journal;
}

export interface TestCluster {
  readonly clock: TrackingClock;
  readonly network: MemoryNetwork;
  readonly nodes: Map<NodeId, TestNode>;
  /** Opens a node on its medium, again if it was opened before. */
  open(id: NodeId, change?: NodeChange): Promise<TestNode>;
  close(id: NodeId): Promise<void>;
  /** From now on what `id` sends passes through `tamper`; undefined is a frame that gets lost without its sender's knowledge. */
  tamper(id: NodeId, tamper: Tamper): void;
  get(id: NodeId): TestNode;
  medium(id: NodeId): MemoryMedium;
  /** Lets time pass until `holds`. */
  until(holds: () => boolean, what?: string): Promise<void>;
  /** Lets time pass until `promise` has ended. */
  settled<T>(promise: Promise<T>): Promise<T>;
  /** Lets `ms` pass. */
  pass(ms: number): Promise<void>;
  leader(): Promise<TestNode>;
  follower(): Promise<TestNode>;
  closeAll(): Promise<void>;
}

export type NodeChange = Partial<RaftNodeOptions<number>> & {
  readonly wrap?: (store: OpenedStore) => OpenedStore;
  readonly journal?: Journal;
};

export type Tamper = (frame: Uint8Array, to: NodeId) => Uint8Array | undefined;

export interface TrackingClock extends VirtualClock {
  /** Timers that are set and neither cancelled nor run. */
  timers(): number;
  readonly untracked: VirtualClock;
}

export function trackingClock(): TrackingClock {
  const clock = createVirtualClock();
  let open = 0;
  const track = (cancel: () => void): (() => void) => {
    open++;
    let over = false;
    return () => {
      if (!over) open--;
      over = true;
      cancel();
    };
  };
  return {
    ...clock,
    after(ms, run) {
      const cancel = track(
        clock.after(ms, () => {
          cancel();
          run();
        }),
      );
      return cancel;
    },
    every: (ms, run) => track(clock.every(ms, run)),
    timers: () => open,
    untracked: clock,
  };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

export async function openCluster(
  voters: readonly NodeId[],
  options: Partial<MemoryNetworkOptions> & {
    readonly change?: NodeChange;
    /** The same, made anew for each opening. */
    readonly open?: (id: NodeId) => NodeChange;
    /** What a node's transport is put behind. */
    readonly link?: (transport: Transport, clock: Clock) => Transport;
  } = {},
): Promise<TestCluster> {
  const clock = trackingClock();
  const network = createMemoryNetwork({
    // Frames on their way are timers of the network, not of a node.
    clock: clock.untracked,
    random: seededRandom(7),
    detectMs: 200,
    ...options,
  });
  const nodes = new Map<NodeId, TestNode>();
  const tampers = new Map<NodeId, Tamper>();
  const tampered = (transport: Transport): Transport => ({
    ...transport,
    send(to, frame, sending) {
      const tamper = tampers.get(transport.self);
      const sent = tamper === undefined ? frame : tamper(frame, to);
      return sent === undefined || transport.send(to, sent, sending);
    },
  });
  const media = new Map<NodeId, MemoryMedium>();
  const medium = (id: NodeId): MemoryMedium => {
    const found = media.get(id) ?? createMemoryMedium();
    media.set(id, found);
    return found;
  };
  const cluster: TestCluster = {
    clock,
    network,
    nodes,
    medium,
    async open(id, change = {}) {
      const {
        wrap = (store: OpenedStore) => store,
        journal,
        ...rest
      } = {
        ...options.change,
        ...options.open?.(id),
        ...change,
      };
      const machine = journal ?? new Journal();
      const link = options.link ?? ((transport: Transport) => transport);
      const node = await RaftNode.open<number>({
        id,
        store: wrap(await openMemoryStore({ medium: medium(id) })),
        transport: link(tampered(network.open(id)), clock.untracked),
        machine,
        clock,
        random: seededRandom(id),
        // Livelier than the default, so that less time has to pass.
        timing: { tickMs: 50, heartbeatTicks: 2, electionTicks: 6 },
        ...rest,
      });
      const opened = { node, machine };
      nodes.set(id, opened);
      return opened;
    },
    async close(id) {
      const { node } = cluster.get(id);
      nodes.delete(id);
      await cluster.settled(node.close());
    },
    tamper(id, tamper) {
      tampers.set(id, tamper);
    },
    get(id) {
      const found = nodes.get(id);
      if (found === undefined) throw new Error(`node ${id} is not open`);
      return found;
    },
    async until(holds, what = String(holds)) {
      for (let ms = 0; !holds(); ms += 5) {
        if (ms > 60_000) throw new Error(`not within a minute: ${what}`);
        clock.advance(5);
        await settle();
      }
    },
    async settled(promise) {
      let over = false;
      const done = promise.finally(() => {
        over = true;
      });
      done.catch(() => {});
      await settle();
      await cluster.until(() => over, "the promise ends");
      return await done;
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 5) {
        clock.advance(5);
        await settle();
      }
    },
    async leader() {
      const find = (): TestNode | undefined =>
        [...nodes.values()].find(({ node }) => node.isLeader && node.status().lastContactMs === 0);
      await cluster.until(() => {
        const leader = find()?.node.id;
        return (
          leader !== undefined && [...nodes.values()].every(({ node }) => node.leader === leader)
        );
      }, "all agree on a leader");
      return find() as TestNode;
    },
    async follower() {
      const leader = await cluster.leader();
      return [...nodes.values()].find((each) => each !== leader) as TestNode;
    },
    async closeAll() {
      for (const id of [...nodes.keys()]) await cluster.close(id);
    },
  };
  for (const id of voters) await cluster.open(id, { bootstrap: { voters } });
  return cluster;
}
