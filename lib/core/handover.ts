/**
 * Handover: what is handed out by `ready()`, and what has not come back from storage and state machine yet.
 *
 * A write leaves together with everything that waits for it: our own votes and acknowledgements, and those owed to peers. Writes come
 * back in the order they left; entries handed out to be applied come back in batches, so that their bytes can be given free.
 * Dissertation §3.8, §10.2.1; compare etcd/raft rawnode.go (readyWithoutAccept, acceptReady, newStorageAppendRespMsg).
 */
import { assert, must } from "../base/assert.js";
import { isConfChange, payloadBytesOf } from "./entries.js";
import { storageAppendResponse } from "./messages.js";
import { type Linked, Queue } from "./queue.js";
import { noMessages, type Raft, trace } from "./raft.js";
import type {
  Entry,
  HardState,
  Index,
  Message,
  NodeId,
  Ready,
  Role,
  SoftState,
  Term,
  Write,
} from "./types.js";

/** A write under way and what waits for it: `held`, and then the log, which is to hear what is durable (`storedIndex` 0: nothing new). */
export interface Outstanding extends Linked<Outstanding> {
  readonly write: Write;
  readonly held: readonly Message[];
  readonly term: Term;
  readonly storedIndex: Index;
  readonly storedTerm: Term;
}

/** Entries handed out together to be applied. */
interface Batch extends Linked<Batch> {
  readonly last: Index;
  readonly encodedBytes: number;
  readonly payloadBytes: number;
}

interface Applied {
  readonly encodedBytes: number | undefined;
  readonly payloadBytes: number;
}

const noEntries: readonly Entry[] = [];
const noReadStates: Ready["readStates"] = [];
const noContexts: Ready["droppedReads"] = [];

export class Handover {
  readonly #raft: Raft;
  /** As last handed out. */
  #term: Term;
  #vote: NodeId;
  #commit: Index;
  #leader: NodeId;
  #role: Role;
  #writes = 0;
  readonly #outstanding: Queue<Outstanding> = new Queue();
  readonly #applying: Queue<Batch> = new Queue();
  /** Configuration entries handed out and waiting for their verdict. */
  #undecided: Index[] = [];

  constructor(raft: Raft) {
    this.#raft = raft;
    this.#term = raft.term;
    this.#vote = raft.vote;
    this.#commit = raft.log.committed;
    this.#leader = raft.leader;
    this.#role = raft.role;
  }

  hasReady(): boolean {
    const raft = this.#raft;
    if (raft.droppedReads.length > 0 || this.#softStateChanged()) return true;
    if (raft.stopped !== undefined) return false;
    const { log } = raft;
    return (
      raft.messages.length > 0 ||
      raft.held.length > 0 ||
      log.hasNextEntries ||
      log.hasCommittedEntries ||
      raft.readStates.length > 0 ||
      log.nextSnapshot() !== undefined ||
      this.#promised() ||
      this.#committed()
    );
  }

  take(): Ready {
    const raft = this.#raft;
    const running = raft.stopped === undefined;
    const softState = this.#takeSoftState();
    const committedEntries = running ? this.#takeCommitted() : noEntries;
    const write = running ? this.#takeWrite() : undefined;
    const { messages, readStates, droppedReads } = raft;
    if (messages.length > 0) {
      raft.messages = noMessages;
      raft.round++;
    }
    if (readStates.length > 0) raft.readStates = [];
    if (droppedReads.length > 0) raft.droppedReads = [];
    if (raft.config.trace !== undefined) trace(raft, "Ready");
    return {
      messages,
      write,
      committedEntries,
      readStates: readStates.length > 0 ? readStates : noReadStates,
      droppedReads: droppedReads.length > 0 ? droppedReads : noContexts,
      softState,
    };
  }

  #takeSoftState(): SoftState | undefined {
    if (!this.#softStateChanged()) return undefined;
    const { leader, role } = this.#raft;
    this.#leader = leader;
    this.#role = role;
    return { leader, role };
  }

  #takeCommitted(): readonly Entry[] {
    const { log } = this.#raft;
    const entries = log.nextCommittedEntries();
    // Looked at before the last one: an index of −1 is a name to engines, and slow to look for.
    if (entries.length === 0) return entries;
    const last = entries[entries.length - 1] as Entry;
    const encodedBytes = log.encodedBytesOf(entries);
    log.acceptApplying(last.index, encodedBytes);
    this.#applying.push({
      last: last.index,
      encodedBytes,
      payloadBytes: payloadBytesOf(entries),
      next: undefined,
    });
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      if (isConfChange(entry)) this.#undecided.push(entry.index);
    }
    return entries;
  }

  #takeWrite(): Write | undefined {
    const raft = this.#raft;
    const { log, held } = raft;
    const entries = log.nextEntries();
    const snapshot = log.nextSnapshot();
    const promised = this.#promised();
    const hardState = promised || this.#committed() ? this.#takeHardState() : undefined;
    const stores = entries.length > 0 || snapshot !== undefined;
    if (!stores && hardState === undefined && held.length === 0) return undefined;
    const write: Write = {
      id: ++this.#writes,
      hardState,
      snapshot,
      entries,
      sync: stores || promised,
    };
    // Told by every write while anything is in memory only: told only by the write that holds the entries, it would be void after a
    // change of term in between, and nothing would ever say that they are durable.
    const unstable = log.unstableCount > 0;
    this.#outstanding.push({
      write,
      held,
      term: raft.term,
      storedIndex: unstable ? log.lastIndex : 0,
      storedTerm: unstable ? log.lastTerm : 0,
      next: undefined,
    });
    log.acceptInProgress();
    raft.held = noMessages;
    return write;
  }

  /** A new term or vote, which are promises; the commit index is a hint that a restart can do without. */
  #promised(): boolean {
    return this.#raft.term !== this.#term || this.#raft.vote !== this.#vote;
  }

  #committed(): boolean {
    return this.#raft.log.committed !== this.#commit;
  }

  #takeHardState(): HardState {
    const { term, vote, log } = this.#raft;
    this.#term = term;
    this.#vote = vote;
    this.#commit = log.committed;
    return { term, vote, commit: log.committed };
  }

  /** @throws InvariantError unless `write` is outstanding */
  check(write: Write): void {
    const { first } = this.#outstanding;
    assert(
      first !== undefined && write.id >= first.write.id && write.id <= this.#writes,
      "persisted: a write that is not outstanding",
      { id: write.id, first: first?.write.id },
    );
  }

  /** The first of the writes under way, which is durable. There is one (`check`). */
  takeFirst(): Outstanding {
    const first = must(this.#outstanding.first, "a write is outstanding");
    this.#outstanding.shift();
    return first;
  }

  /** What waits for `write`, which stays outstanding. */
  held(write: Write): readonly Message[] {
    const found = this.#outstanding.find((each) => each.write.id === write.id);
    return found === undefined ? noMessages : withResponse(found, this.#raft.id);
  }

  /** `write` and all before it are durable: what waited for them, as messages. */
  takeHeld(write: Write): readonly Message[] {
    this.check(write);
    const taken: Message[] = [];
    let durable: Outstanding;
    do {
      durable = this.takeFirst();
      taken.push(...withResponse(durable, this.#raft.id));
    } while (durable.write.id < write.id);
    return taken;
  }

  /** Entries up to `index` are applied: the bytes of the batches that are done with. Encoded ones undefined while the first is not. */
  takeApplied(index: Index): Applied {
    this.#forgetOvertaken();
    const undecided = this.#undecided[0];
    assert(undecided === undefined || undecided > index, "applyConfChange was not called", {
      index: undecided,
    });
    let encodedBytes: number | undefined = this.#applying.first === undefined ? 0 : undefined;
    let payloadBytes = 0;
    let batch = this.#applying.first;
    while (batch !== undefined && batch.last <= index) {
      encodedBytes = (encodedBytes ?? 0) + batch.encodedBytes;
      payloadBytes += batch.payloadBytes;
      this.#applying.shift();
      batch = this.#applying.first;
    }
    return { encodedBytes, payloadBytes };
  }

  /** The verdict on the configuration entry at `index` has come. */
  decide(index: Index): void {
    this.#forgetOvertaken();
    assert(this.#undecided[0] === index, "not the configuration entry to be decided", {
      index,
      expected: this.#undecided[0],
    });
    this.#undecided.shift();
  }

  /** A snapshot holds what came of the configuration entries before it. */
  #forgetOvertaken(): void {
    const { confIndex } = this.#raft;
    while (this.#undecided[0] !== undefined && this.#undecided[0] <= confIndex) {
      this.#undecided.shift();
    }
  }

  #softStateChanged(): boolean {
    return this.#raft.leader !== this.#leader || this.#raft.role !== this.#role;
  }
}

/** In etcd's form, where the disk answers by a message. */
function withResponse(outstanding: Outstanding, to: NodeId): readonly Message[] {
  const { held, term, storedIndex: index, storedTerm: logTerm } = outstanding;
  const { snapshot } = outstanding.write;
  if (index === 0 && snapshot === undefined) return held;
  return [...held, storageAppendResponse({ to, term, index, logTerm, snapshot })];
}
