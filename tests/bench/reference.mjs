/**
 * The reference: three of `@coaty/consensus.raft`'s RawNodes (etcd/raft ported to JavaScript) in one process without I/O.
 *
 * Driven as its own Node drives it: store entries and hard state, hand over messages, apply, advance. Of its package only the
 * port is loaded: the one module through which it reaches the rest (a controller over MQTT and SQLite) is replaced by the constant
 * the port takes from it, so package.json overrides those dependencies with an empty package and nothing native is built.
 */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const name = "@coaty/consensus.raft";

/** Entries after which each node's log is compacted. */
const compactEvery = 4096;

function load() {
  const controller = require.resolve(`${name}/non-ported/raft-controller.js`);
  require.cache[controller] ??= {
    id: controller,
    filename: controller,
    loaded: true,
    exports: { emptyRaftData: null },
  };
  const part = (file) => require(`${name}/ported/${file}.js`);
  return {
    ...part("rawnode"),
    ...part("raft"),
    ...part("storage"),
    ...part("logger"),
    ...part("raftpb/raft.pb"),
  };
}

export function referenceVersion() {
  return require(`${name}/package.json`).version;
}

/**
 * @param {number} commandBytes
 * @returns {import("./measure.mjs").Cluster}
 */
export function referenceCluster(commandBytes) {
  const raft = load();
  raft.setLogger(raft.discardLogger);
  const ids = ["1", "2", "3"];
  // Its commands are JSON values: a string, whose size it takes without walking over numbered properties.
  const command = "c".repeat(commandBytes - 2);
  const members = new Map();
  let network = [];

  for (const id of ids) {
    const storage = raft.MemoryStorage.NewMemoryStorage();
    storage.snapshot.metadata.confState.voters = ids;
    const node = raft.RawNode.NewRawNode(
      new raft.RaftConfig({
        id,
        electionTick: 10,
        heartbeatTick: 1,
        storage,
        maxSizePerMsg: 1024 * 1024,
        maxInflightMsgs: 256,
        maxUncommittedEntriesSize: 2 ** 40,
        checkQuorum: true,
        preVote: true,
        logger: raft.discardLogger,
      }),
    );
    members.set(id, { node, storage, applied: 0, compacted: 0 });
  }

  function drain(member) {
    while (member.node.hasReady()) {
      const ready = member.node.ready();
      member.storage.Append(ready.entries);
      if (!ready.hardState.isEmptyHardState()) member.storage.SetHardState(ready.hardState);
      for (const message of ready.messages) network.push(message);
      const { committedEntries } = ready;
      if (committedEntries.length > 0) {
        member.applied = committedEntries[committedEntries.length - 1].index;
      }
      member.node.advance(ready);
    }
    if (member.applied - member.compacted >= compactEvery) {
      member.compacted = member.applied - compactEvery / 2;
      member.storage.Compact(member.compacted);
    }
  }

  function settle() {
    for (const member of members.values()) drain(member);
    while (network.length > 0) {
      const messages = network;
      network = [];
      for (const message of messages) {
        const member = members.get(message.to);
        member.node.step(message);
      }
      for (const member of members.values()) drain(member);
    }
  }

  members.get("1").node.campaign();
  settle();
  const leader = members.get("1");
  return {
    propose(count) {
      for (let i = 0; i < count; i++) {
        if (leader.node.propose(command) !== null)
          throw new Error("the reference refused a proposal");
      }
      settle();
    },
    applied: () => [...members.values()].map((member) => member.applied),
  };
}
