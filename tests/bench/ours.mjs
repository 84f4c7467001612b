/**
 * Ours: three RawNodes in one process without I/O, driven as the runtime drives them. A write is durable at once.
 */
import { seededRandom } from "../../dist/base/random.js";
import { RawNode } from "../../dist/core/raw-node.js";

/** Entries after which each node's log is compacted. */
const compactEvery = 4096;

const confState = {
  voters: [1, 2, 3],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/**
 * @param {number} commandBytes
 * @returns {import("./measure.mjs").Cluster & { node: RawNode, settle: () => void }}
 */
export function ourCluster(commandBytes) {
  const command = new Uint8Array(commandBytes).fill(0x63);
  /** @type {Member[]} */
  const members = [1, 2, 3].map((id) => new Member(id));
  /** @type {import("../../dist/core/types.js").Message[]} */
  const network = [];

  function settle() {
    for (const member of members) member.drain(network);
    for (let sent = network.length; sent > 0; sent = network.length) {
      for (let i = 0; i < sent; i++) members[network[i].to - 1].node.step(network[i]);
      network.splice(0, sent);
      for (const member of members) member.drain(network);
    }
  }

  const leader = members[0];
  leader.node.campaign();
  settle();
  return {
    node: leader.node,
    settle,
    propose(count) {
      for (let i = 0; i < count; i++) {
        if (!leader.node.propose(command).accepted) throw new Error("we refused a proposal");
      }
      settle();
    },
    applied: () => members.map((member) => member.applied),
  };
}

class Member {
  /** @param {number} id */
  constructor(id) {
    this.applied = 0;
    this.compacted = 0;
    this.node = new RawNode(
      {
        id,
        random: seededRandom(id),
        snapshot: () => undefined,
        electionTicks: 10,
        heartbeatTicks: 1,
        appendBytesMax: 1024 * 1024,
        inflightAppendsMax: 256,
        checkQuorum: true,
        preVote: true,
        forwardProposals: false,
        batchAppends: true,
      },
      {
        hardState: { term: 0, vote: 0, commit: 0 },
        confState,
        compacted: { index: 0, term: 0 },
        entries: [],
        applied: 0,
      },
    );
  }

  /** @param {import("../../dist/core/types.js").Message[]} network */
  drain(network) {
    const { node } = this;
    while (node.hasReady()) {
      const { messages, write, committedEntries } = node.ready();
      for (const message of messages) network.push(message);
      if (write !== undefined) for (const message of node.persisted(write)) network.push(message);
      if (committedEntries.length > 0) {
        this.applied = committedEntries[committedEntries.length - 1].index;
        node.applied(this.applied);
      }
    }
    if (this.applied - this.compacted >= compactEvery) {
      this.compacted = this.applied - compactEvery / 2;
      node.compacted(this.compacted);
    }
  }
}
