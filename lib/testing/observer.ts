/**
 * Observer: calls each invariant where what it speaks of can change, and counts what must happen sometimes.
 *
 * A look after every call of a core compares a few numbers; the dearer checks run when one of them moved.
 */
import { InvariantError, type LogboomError } from "../base/errors.js";
import { decodeMessages } from "../codec/raftpb.js";
import { type RawNode, raftOf } from "../core/raw-node.js";
import type {
  ConfState,
  Entry,
  Index,
  Message,
  NodeId,
  SnapshotMetadata,
  Term,
  Write,
} from "../core/types.js";
import { decodeCommand } from "../machines/command.js";
import type { Applied } from "../machines/replica.js";
import { raftFrame, unpackFrame } from "../runtime/frames.js";
import * as check from "./invariants.js";
import * as counts from "./invariants-counts.js";
import * as upkeep from "./invariants-upkeep.js";
import type { Ledger } from "./ledger.js";
import type { Image } from "./record-disk.js";
import { hashBytes, hashValue } from "./trace-hash.js";
import { Violation, type Watched } from "./violation.js";

/** States are hashed at every index that this divides, and whenever a replica was restored. */
const stateEvery = 8;

/** What the observer asks of a node. */
export interface ObservedNode {
  readonly id: NodeId;
  readonly core: RawNode | undefined;
  readonly disk: { readonly flushed: Image };
  readonly replica: { snapshot(): Iterable<Uint8Array> };
  readonly applied: Index;
  readonly confState: ConfState;
}

interface Eye extends Watched {
  node: ObservedNode;
  /** Terms of the entries handed to the disk in this life, by index. */
  readonly handedTerms: Map<Index, Term>;
  readonly sent: counts.SentAppends;
  /** Since it leads: its uncommitted bytes can be told exactly. */
  exactly: boolean;
  confIndex: Index;
}

export class Observer {
  readonly ledger: Ledger;
  readonly #eyes = new Map<NodeId, Eye>();
  readonly #durable: (id: NodeId) => Image | undefined;
  /** Stores that lack what they acknowledged, where enough others have it (atlas.ts): their nodes may find out, and stop. */
  readonly #wentBack = new Set<NodeId>();

  /** Where each command took effect, by client and sequence. */
  readonly #tookEffect = new Map<string, Index>();
  /** The last node that lost a write in a crash, and when. */
  #lostWrite: { readonly id: NodeId; readonly at: number } | undefined;

  constructor(ledger: Ledger, durable: (id: NodeId) => Image | undefined) {
    this.ledger = ledger;
    this.#durable = durable;
  }

  sometimes(what: string): void {
    this.ledger.note(what);
  }

  /** The store of `id` lacks from now on what it acknowledged. */
  wentBack(id: NodeId): void {
    this.#wentBack.add(id);
  }

  mayStop(id: NodeId): boolean {
    return this.#wentBack.has(id);
  }

  #eye(node: ObservedNode): Eye {
    const eye = this.#eyes.get(node.id);
    if (eye === undefined) throw new Error(`node ${node.id} was never started`);
    return eye;
  }

  started(node: ObservedNode): void {
    if (node.core === undefined) return;
    const raft = raftOf(node.core);
    const { flushed } = node.disk;
    const handedTerms = new Map<Index, Term>();
    for (const { index, term } of flushed.entries) handedTerms.set(index, term);
    const eye: Eye = {
      node,
      id: node.id,
      raft,
      flushed,
      handed: flushed.lastIndex,
      handedTerms,
      sent: new counts.SentAppends(),
      exactly: false,
      confIndex: raft.confIndex,
      seen: { role: raft.role, term: raft.term, commit: 0, last: raft.log.lastIndex },
    };
    this.#eyes.set(node.id, eye);
    if (!this.mayStop(node.id)) upkeep.acknowledgedIsKept(this.ledger, node.id, flushed);
    check.termsOnlyGrow(this.ledger, eye);
    upkeep.configurationIsTrue(this.ledger, eye);
    if (node.confState.votersOutgoing.length > 0)
      this.sometimes("joint configuration across a restart");
    if (node.applied > 0) this.#hashState(node);
    this.look(node);
  }

  /** After every call of the core. */
  look(node: ObservedNode): void {
    if (node.core === undefined) return;
    const eye = this.#eye(node);
    const { raft, seen } = eye;
    const { role, term, log } = raft;
    if (term !== seen.term) check.termsOnlyGrow(this.ledger, eye);
    if (log.committed !== seen.commit) {
      check.commitInRange(this.ledger, eye);
      check.committedByQuorum(this.ledger, eye, this.#durable);
    }
    if (log.lastIndex !== seen.last) check.leaderAppendOnly(this.ledger, eye);
    if (raft.confIndex !== eye.confIndex) {
      eye.confIndex = raft.confIndex;
      upkeep.configurationIsTrue(this.ledger, eye);
    }
    if (role === "leader") {
      if (seen.role !== "leader" || seen.term !== term) this.#elected(eye);
      const trusted = (id: NodeId): Image | undefined =>
        this.#wentBack.has(id) ? undefined : this.#durable(id);
      upkeep.progressIsTrue(this.ledger, eye, trusted);
      counts.uncommittedIsTrue(this.ledger, eye, eye.exactly);
    }
    seen.role = role;
    seen.term = term;
    seen.commit = log.committed;
    seen.last = log.lastIndex;
  }

  /** Its process is about to end. @param writes  a write is under way */
  crashing(node: ObservedNode, writes: boolean): void {
    if (node.core === undefined) return;
    const { role, term, vote } = raftOf(node.core);
    const { hardState } = node.disk.flushed;
    if (writes && role === "leader") this.sometimes("leader crashed between append and sync");
    const known = hardState.term === term && hardState.vote === vote;
    if (writes && !known && vote !== 0 && vote !== node.id)
      this.sometimes("a vote was granted and lost");
  }

  /** A crash has taken away what was being written. */
  lostWrite({ id }: ObservedNode): void {
    this.sometimes("crash lost a write under way");
    const { now: at } = this.ledger.clock;
    const before = this.#lostWrite;
    if (before !== undefined && before.at === at && before.id !== id)
      this.sometimes("two nodes lost writes at once");
    this.#lostWrite = { id, at };
  }

  #elected(eye: Eye): void {
    const { ledger } = this;
    eye.exactly = counts.countsExactly(eye.raft);
    check.electionSafety(ledger, eye);
    check.onlyVotersLead(ledger, eye);
    check.electedByQuorum(ledger, eye);
    check.leaderCompleteness(ledger, eye);
    upkeep.leadersIntersect(ledger, eye, this.#living());
    this.sometimes("leader elected");
    for (const other of this.#living()) {
      if (other !== eye && other.raft.role === "leader")
        this.sometimes("two leaders in different terms");
    }
    if (eye.node.confState.votersOutgoing.length > 0)
      this.sometimes("leader elected in a joint configuration");
  }

  *#living(): Iterable<Eye> {
    for (const eye of this.#eyes.values())
      if (eye.node.id === eye.id && eye.node.core !== undefined) yield eye;
  }

  /** After a whole turn. */
  settled(node: ObservedNode): void {
    const eye = this.#eye(node);
    counts.withinBounds(this.ledger, eye);
    if (eye.raft.role === "leader") counts.windowsAreTrue(this.ledger, eye, eye.sent);
  }

  /** Around the step of a message. */
  stepping<T>(node: ObservedNode, message: Message, step: () => T): T {
    const { raft } = this.#eye(node);
    // A candidate that learns of a committed change by it steps down; a follower is not moved.
    if (message.type !== "MsgPreVote" || raft.role !== "follower") return step();
    const before = check.preVoteState(raft);
    const result = step();
    check.preVoteBindsNobody(before, raft);
    if (raft.ownProgress?.isLearner === true) this.sometimes("a learner is asked for its vote");
    return result;
  }

  sending(node: ObservedNode, message: Message): void {
    const eye = this.#eye(node);
    this.ledger.messages++;
    check.saidIsDurable(this.ledger, eye, message);
    upkeep.acknowledges(this.ledger, eye, message);
    if (message.type === "MsgApp") {
      upkeep.appendIsContiguous(this.ledger, eye, message);
      eye.sent.note(message);
    } else if (message.type === "MsgTimeoutNow") this.sometimes("leadership handed over");
    else if (message.type === "MsgSnap") this.sometimes("snapshot sent");
  }

  /** A frame leaves after its disk has failed. */
  sayingAfterFailure({ id }: ObservedNode, frame: Uint8Array): void {
    const { kind, body } = unpackFrame(frame);
    if (kind !== raftFrame) return;
    for (const { type } of decodeMessages(body)) upkeep.silentAfterFailure(id, true, type);
  }

  /** A write is handed to the disk. */
  handing(node: ObservedNode, write: Write): void {
    const eye = this.#eye(node);
    const { handedTerms } = eye;
    upkeep.takesBack(this.ledger, node.id, write);
    if (write.snapshot !== undefined) {
      this.#installs(eye, write.snapshot.metadata);
      eye.handed = write.snapshot.metadata.index;
    }
    const first = write.entries[0];
    if (first === undefined) {
      if (write.snapshot !== undefined) handedTerms.clear();
      return;
    }
    check.cutsOnlyConflicts(this.ledger, eye, write, (index) => handedTerms.get(index));
    check.logMatching(this.ledger, eye, write);
    upkeep.oneChangeAtATime(this.ledger, eye, write);
    if (first.index < eye.handed && write.snapshot === undefined)
      this.sometimes("log cut by two entries or more");
    if (write.snapshot !== undefined) handedTerms.clear();
    for (let index = first.index; index <= eye.handed; index++) handedTerms.delete(index);
    for (const { index, term } of write.entries) handedTerms.set(index, term);
    eye.handed = first.index + write.entries.length - 1;
  }

  #installs({ handed, handedTerms }: Eye, { index, term }: SnapshotMetadata): void {
    const own = handedTerms.get(index);
    if (handed === 0) this.sometimes("snapshot installed over nothing");
    else if (handed < index) this.sometimes("snapshot installed over a shorter log");
    else if (own === term) this.sometimes("snapshot installed over a log that matches");
    else if (own !== undefined) this.sometimes("snapshot installed over a log that conflicts");
  }

  applying(node: ObservedNode, entry: Entry): void {
    check.appliedInOrder(node.id, node.applied, entry);
    check.appliedIsCommitted(this.ledger, node.id, entry);
    upkeep.leavesJointOnce(this.ledger, entry);
  }

  /** An entry was applied (`outcome`), or the state replaced. */
  applied(node: ObservedNode, outcome: Applied | undefined): void {
    const { applied: index } = node;
    if (outcome === undefined) {
      this.#hashState(node);
      upkeep.configurationIsTrue(this.ledger, this.#eye(node));
      return;
    }
    if (outcome.kind === "done" || outcome.kind === "rejected") this.#tookPlace(outcome, index);
    check.equalStates(this.ledger, "outcomes", node.id, index, hashValue(withoutCause(outcome)));
    if (index % stateEvery === 0) this.#hashState(node);
  }

  #tookPlace(
    { client, sequence, repeated }: Extract<Applied, { readonly repeated: boolean }>,
    index: Index,
  ): void {
    const name = `${client}/${sequence}`;
    if (!repeated) this.#tookEffect.set(name, index);
    else {
      this.sometimes("a repeated command was met");
      const first = this.#tookEffect.get(name);
      if (first !== undefined && this.ledger.termAt(first) !== this.ledger.termAt(index))
        this.sometimes("a command was repeated under a later leader");
    }
  }

  /** I20, at the caller: what was answered is what the replicas made of that entry, and the entry was this command. */
  answered(node: ObservedNode, command: Uint8Array, outcome: Applied, index: Index): void {
    const { client, sequence } = decodeCommand(command);
    const other =
      outcome.kind === "malformed" || outcome.client !== client || outcome.sequence !== sequence;
    if (other) {
      const text = `node ${node.id} answered command ${client}/${sequence} with another's outcome, of entry ${index}`;
      throw new Violation("I20", text);
    }
    check.equalStates(this.ledger, "outcomes", node.id, index, hashValue(withoutCause(outcome)));
  }

  #hashState(node: ObservedNode): void {
    let hash = 0;
    for (const chunk of node.replica.snapshot()) hash = hashBytes(hash, chunk);
    check.equalStates(this.ledger, "states", node.id, node.applied, hash);
  }

  installing(node: ObservedNode, metadata: SnapshotMetadata): void {
    upkeep.installMovesForward(node.id, node.applied, metadata);
    upkeep.snapshotIsTrue(this.ledger, node.id, metadata, metadata.index);
  }

  snapshotMade(node: ObservedNode, metadata: SnapshotMetadata): void {
    upkeep.snapshotIsTrue(this.ledger, node.id, metadata, node.applied);
  }

  compacting(node: ObservedNode, upTo: Index): void {
    upkeep.compactedIsCovered(node.id, upTo, node.disk.flushed);
  }

  nodeStopped(node: ObservedNode, error: LogboomError): void {
    if (!this.mayStop(node.id)) throw new Violation("stopped", `node ${node.id}: ${error.message}`);
  }
}

function withoutCause(outcome: Applied): unknown {
  if (outcome.kind === "malformed") return outcome.kind;
  const { kind, client, sequence } = outcome;
  if (kind === "done") return [kind, client, sequence, outcome.result ?? null, outcome.repeated];
  if (kind === "rejected") return [kind, client, sequence, outcome.reason, outcome.repeated];
  return [kind, client, sequence];
}

/** What a broken assertion of the library's own is reported as. */
export function asViolation(error: unknown): Violation {
  if (error instanceof Violation) return error;
  if (error instanceof InvariantError) return new Violation("assertion", error.message);
  const text =
    error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
  return new Violation("exception", text);
}
