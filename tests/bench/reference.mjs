/**
 * The reference: three of `@coaty/consensus.raft`'s RawNodes (etcd/raft ported to JavaScript).
 *
 * Driven as its own Node drives it: store entries and hard state, send messages, apply, advance. Of its package only the port is
 * loaded: the one module through which it reaches the rest (a controller over MQTT and SQLite) is replaced by the constant that the
 * port takes from it. So package.json overrides those dependencies by an empty package, and nothing native is built.
 */
import { createRequire } from "node:module";
import {
  appendsPerLife,
  Cluster,
  compactEvery,
  compactKeeps,
  follow,
} from "./cluster.mjs?reference";

const require = createRequire(import.meta.url);
const name = "@coaty/consensus.raft";

export const referenceName = `${name} ${versionOf()}`;

/** @returns {string} */
function versionOf() {
  try {
    return require(`${name}/package.json`).version;
  } catch (cause) {
    throw new Error(`${name} is not installed: run npm ci --include=dev`, { cause });
  }
}

/** Everything the port exports; it has no types for what is loaded this way. */
function load() {
  const controller = require.resolve(`${name}/non-ported/raft-controller.js`);
  /** @type {any} */ (require.cache)[controller] ??= {
    id: controller,
    filename: controller,
    loaded: true,
    exports: { emptyRaftData: null },
  };
  const files = ["rawnode", "raft", "storage", "logger", "raftpb/raft.pb"];
  return Object.assign({}, ...files.map((file) => require(`${name}/ported/${file}.js`)));
}

const raft = load();

class ReferenceMember {
  applied = 0;
  compacted = 0;

  /**
   * @param {string} id
   * @param {string[]} voters
   */
  constructor(id, voters) {
    this.storage = raft.MemoryStorage.NewMemoryStorage();
    this.storage.snapshot.metadata.confState.voters = voters;
    this.node = raft.RawNode.NewRawNode(
      new raft.RaftConfig({
        id,
        electionTick: 10,
        heartbeatTick: 1,
        storage: this.storage,
        maxSizePerMsg: 1024 * 1024,
        maxInflightMsgs: 256,
        checkQuorum: true,
        preVote: true,
        logger: raft.discardLogger,
      }),
    );
  }

  /** @param {any} message */
  step(message) {
    this.node.step(message);
  }

  /** @param {unknown} command */
  propose(command) {
    if (this.node.propose(command) !== null) throw new Error("the reference refused a proposal");
  }

  /** @param {(message: any) => void} send */
  pump(send) {
    const { node, storage } = this;
    while (node.hasReady()) {
      const ready = node.ready();
      storage.Append(ready.entries);
      if (!ready.hardState.isEmptyHardState()) storage.SetHardState(ready.hardState);
      for (const message of ready.messages) send(message);
      const { committedEntries } = ready;
      if (committedEntries.length > 0) {
        this.applied = committedEntries[committedEntries.length - 1].index;
      }
      node.advance(ready);
    }
    if (this.applied - this.compacted >= compactEvery) {
      this.compacted = this.applied - compactKeeps;
      storage.Compact(this.compacted);
    }
  }
}

/** @param {number} commandBytes */
export function referenceCluster(commandBytes) {
  raft.setLogger(raft.discardLogger);
  const ids = ["1", "2", "3"];
  const members = ids.map((id) => new ReferenceMember(id, ids));
  // Its commands are JSON values, whose size it takes by stringifying them: a string is what costs it least.
  const command = "c".repeat(commandBytes - 2);
  const cluster = new Cluster(members, (message) => Number(message.to) - 1, command);
  members[0].node.campaign();
  cluster.settle();
  return cluster;
}

/** @param {number} commandBytes */
export function referenceAppends(commandBytes) {
  raft.setLogger(raft.discardLogger);
  const data = "c".repeat(commandBytes - 2);
  const appends = Array.from(
    { length: appendsPerLife },
    (_, i) =>
      new raft.Message({
        type: raft.MessageType.MsgApp,
        to: "2",
        from: "1",
        term: 1,
        logTerm: i > 0 ? 1 : 0,
        index: i,
        commit: i,
        entries: [new raft.Entry({ term: 1, index: i + 1, data })],
      }),
  );
  return follow(appends, () => new ReferenceMember("2", ["1", "2", "3"]));
}
