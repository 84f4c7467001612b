/** Ours: three RawNodes, driven as the runtime drives them. A write is durable at once. */
import { seededRandom } from "../../dist/base/random.js";
import { RawNode } from "../../dist/core/raw-node.js";
import { appendsPerLife, Cluster, compactEvery, compactKeeps, follow } from "./cluster.mjs?ours";

/** @typedef {import("../../dist/core/types.js").Message} Message */

const confState = {
  voters: [1, 2, 3],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

class OurMember {
  applied = 0;
  compacted = 0;

  /**
   * @param {number} id
   * @param {boolean} compacts  whether the log is cut as it grows
   */
  constructor(id, compacts) {
    this.compacts = compacts;
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
        batchAppends: true,
        logBytesMax: compacts ? 64 * 1024 * 1024 : Number.POSITIVE_INFINITY,
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

  /** @param {Message} message */
  step(message) {
    this.node.step(message);
  }

  /** @param {unknown} command */
  propose(command) {
    if (!this.node.propose(/** @type {Uint8Array} */ (command)).accepted) {
      throw new Error("we refused a proposal");
    }
  }

  /** @param {(message: Message) => void} send */
  pump(send) {
    const { node } = this;
    while (node.hasReady()) {
      const { messages, write, committedEntries } = node.ready();
      for (const message of messages) send(message);
      if (write !== undefined) for (const message of node.persisted(write)) send(message);
      if (committedEntries.length > 0) {
        this.applied = committedEntries[committedEntries.length - 1].index;
        node.applied(this.applied);
      }
    }
    if (this.compacts && this.applied - this.compacted >= compactEvery) {
      this.compacted = this.applied - compactKeeps;
      node.compacted(this.compacted);
    }
  }
}

/**
 * @param {number} commandBytes
 * @param {boolean} [compacts]  default true
 */
export function ourCluster(commandBytes, compacts = true) {
  const members = [1, 2, 3].map((id) => new OurMember(id, compacts));
  const command = new Uint8Array(commandBytes).fill(0x63);
  const cluster = new Cluster(members, (message) => message.to - 1, command);
  members[0].node.campaign();
  cluster.settle();
  return cluster;
}

/**
 * An append of one entry, sent by 1 to 2.
 * @param {number} index  of the entry
 * @param {Uint8Array} data
 * @returns {Message}
 */
function append(index, data) {
  return {
    type: "MsgApp",
    to: 2,
    from: 1,
    term: 1,
    logTerm: index > 1 ? 1 : 0,
    index: index - 1,
    entries: [{ term: 1, index, type: "EntryNormal", data, unknown: undefined }],
    commit: index - 1,
    commitTerm: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: new Uint8Array(0),
    requestSnapshot: 0,
    priority: 0,
  };
}

/** @param {number} commandBytes */
export function sampleAppend(commandBytes) {
  return append(100_000, new Uint8Array(commandBytes).fill(0x63));
}

/**
 * A follower that is sent one append per call, stores it, acknowledges it and applies what is committed.
 * @param {number} commandBytes
 */
export function ourAppends(commandBytes) {
  const data = new Uint8Array(commandBytes).fill(0x63);
  const appends = Array.from({ length: appendsPerLife }, (_, i) => append(i + 1, data));
  return follow(appends, () => new OurMember(2));
}
