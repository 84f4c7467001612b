/**
 * MemberedMachine: the user's state machine with what a RaftNode keeps beside it, as one machine with one snapshot: the members' table, the
 * times, the active machine version.
 *
 * Commands come with their leader's stamp, which is taken off here. Entries that carry something for the table activate a version or mark
 * where states are compared. Not here: what the table's bytes are (members.ts), what a stamp's are (stamps.ts).
 *
 * Invariants: times never go back; the active version is never above the machine's own.
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError, LogboomError } from "../base/errors.js";
import type { Index } from "../core/types.js";
import { restoreFrom } from "./applier.js";
import { ChunkReader } from "./chunk-reader.js";
import {
  type Addresses,
  type ChangeContext,
  decodeContext,
  decodeHead,
  emptyHead,
  encodeHead,
  type Head,
  headLength,
  memberIds,
  prefixBytes,
} from "./members.js";
import { begun } from "./snapshots.js";
import { Stamped, type Times, timesOf } from "./stamps.js";
import type {
  AppliedConfChange,
  AppliedEntry,
  Beside,
  NodeMachine,
  StateMachine,
} from "./state-machine.js";

/** An external backup is collected in memory before it is restored. */
export const backupBytesMax: number = 256 * 1024 * 1024;

/** Where states are compared: the state as of this entry, to be read at leisure. */
export interface CheckPoint {
  readonly id: number;
  readonly index: Index;
  readonly chunks: Iterable<Uint8Array>;
}

export class MemberedMachine<Result> implements StateMachine<Result> {
  readonly machine: NodeMachine<Result>;
  /** The same as the machine's, where it has one. */
  readonly applyBatch?: NonNullable<StateMachine<Result>["applyBatch"]>;
  readonly appliedIndex?: NonNullable<StateMachine<Result>["appliedIndex"]>;
  /** The highest version this code can be. */
  readonly supports: number;
  onCheck: (point: CheckPoint) => void = () => {};
  onActivated: (version: number, index: Index) => void = () => {};
  /** What a machine that keeps its own state has already changes this part alone. */
  readonly beside: Beside = {
    entry: ({ data }) => this.#advance(timesOf(data)),
    confChange: (change) => this.#change(change, false),
    snapshot: async (chunks) => {
      const head = decodeHead(await headOf(new ChunkReader(chunks)));
      this.#checkVersion(head.version, "a snapshot");
      this.#take(head);
    },
  };
  #configurationIndex = emptyHead.configurationIndex;
  #addresses = emptyHead.addresses;
  #backup = emptyHead.backup;
  #version = emptyHead.version;
  #now = emptyHead.now;
  #logTime = emptyHead.logTime;
  /** How the last backup ended, and by which id. */
  #restored: { readonly id: number; readonly error: LogboomError | undefined } | undefined;

  constructor(machine: NodeMachine<Result>) {
    this.machine = machine;
    this.supports = machine.version ?? 1;
    const { applyBatch, appliedIndex } = machine;
    if (applyBatch !== undefined) {
      this.applyBatch = (entries) =>
        applyBatch.call(
          machine,
          entries.map((entry) => this.#open(entry)),
        );
    }
    if (appliedIndex !== undefined) this.appliedIndex = appliedIndex.bind(machine);
  }

  get configurationIndex(): Index {
    return this.#configurationIndex;
  }
  get addresses(): Addresses {
    return this.#addresses;
  }
  /** The machine version that is active. */
  get version(): number {
    return this.#version;
  }
  /** Times as of the last command. */
  get times(): Times {
    return { now: this.#now, logTime: this.#logTime };
  }

  /** How backup `id` ended; undefined while it has not. */
  outcomeOf(id: number): { readonly error: LogboomError | undefined } | undefined {
    return this.#restored?.id === id ? this.#restored : undefined;
  }

  /** For whoever founds a cluster: the snapshot it begins with. The machine's own version is active from the start. */
  found(addresses: Addresses): Uint8Array {
    this.#take({ ...emptyHead, configurationIndex: 1, addresses, version: this.supports });
    return concatBytes(...this.snapshot());
  }

  /** A majority is gone for good: what was known of where members live with it. */
  refound(index: Index, addresses: Addresses): void {
    this.#configurationIndex = index;
    this.#addresses = addresses;
    this.#backup = undefined;
  }

  apply(entry: AppliedEntry): Result {
    return this.machine.apply(this.#open(entry));
  }

  applyConfChange(change: AppliedConfChange): void {
    this.#change(change, true);
    this.machine.applyConfChange?.(change);
  }

  /** The head is of the moment of the first step, as the state of a machine whose `snapshot` is a generator. */
  *snapshot(): Iterable<Uint8Array> {
    const head = encodeHead({
      configurationIndex: this.#configurationIndex,
      addresses: this.#addresses,
      version: this.#version,
      now: this.#now,
      logTime: this.#logTime,
      backup: this.#backup,
    });
    const chunks = begun(this.machine.snapshot());
    yield head;
    yield* chunks;
  }

  restore(body: Uint8Array): void {
    const end = prefixBytes + headLength(body.subarray(0, prefixBytes));
    if (end > body.length) throw new DecodeError("snapshot body ends in its head");
    const head = decodeHead(body.subarray(prefixBytes, end));
    this.#checkVersion(head.version, "a snapshot");
    this.machine.restore(body.subarray(end), head.version);
    this.#take(head);
  }

  async restoreFrom(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const reader = new ChunkReader(chunks);
    const head = decodeHead(await headOf(reader));
    this.#checkVersion(head.version, "a snapshot");
    await restoreFrom(this.machine, reader.rest(), head.version);
    this.#take(head);
  }

  #take(head: Head): void {
    this.#configurationIndex = head.configurationIndex;
    this.#addresses = head.addresses;
    this.#version = head.version;
    this.#now = head.now;
    this.#logTime = head.logTime;
    this.#backup = head.backup;
  }

  /** The command of an entry, as its machine sees it. */
  #open(entry: AppliedEntry): Stamped {
    this.#advance(timesOf(entry.data));
    return new Stamped(entry, this.times, this.#version);
  }

  #advance({ now, logTime }: Times): void {
    if (now > this.#now) this.#now = now;
    if (logTime > this.#logTime) this.#logTime = logTime;
  }

  /** @param isNews  false where the machine has this entry's effect on itself already */
  #change(change: AppliedConfChange, isNews: boolean): void {
    const context = decodeContext(change.context);
    switch (context?.type) {
      case "check":
        if (isNews) this.#checkPoint(context.id, change.index);
        return;
      case "activate":
        this.#activate(context.version, change.index, isNews);
        return;
      case "restore":
        this.#collect(context, isNews);
        return;
      default:
        this.#configure(change, context?.addresses);
    }
  }

  #checkPoint(id: number, index: Index): void {
    this.onCheck({ id, index, chunks: begun(this.snapshot()) });
  }

  #activate(version: number, index: Index, isNews: boolean): void {
    // Two leaders may have proposed the same.
    if (version <= this.#version) return;
    this.#checkVersion(version, `entry ${index}`);
    if (isNews) this.#migrate(this.#version, version);
    this.#version = version;
    this.onActivated(version, index);
  }

  #migrate(from: number, to: number): void {
    for (let next = from + 1; next <= to; next++) this.machine.migrate?.(next);
  }

  #checkVersion(version: number, what: string): void {
    if (version <= this.supports) return;
    throw new LogboomError(
      "UPGRADE_NEEDED",
      `${what} is of machine version ${version}, and this node's code goes up to ${this.supports}: install newer code and open the node again`,
    );
  }

  #configure({ index, confState }: AppliedConfChange, moved: Addresses | undefined): void {
    const ids = memberIds(confState);
    const addresses = new Map(this.#addresses);
    for (const [id, address] of moved ?? []) addresses.set(id, address);
    for (const id of addresses.keys()) if (!ids.has(id)) addresses.delete(id);
    this.#configurationIndex = index;
    this.#addresses = addresses;
  }

  #collect(piece: Extract<ChangeContext, { type: "restore" }>, isNews: boolean): void {
    const { id, version, offset, last, data } = piece;
    const before = this.#backup?.id === id ? this.#backup.data : new Uint8Array(0);
    // A piece that does not fit is of a backup that somebody else broke off.
    if (before.length !== offset || before.length + data.length > backupBytesMax) return;
    const whole = concatBytes(before, data);
    this.#backup = last ? undefined : { id, data: whole };
    if (last && isNews) this.#restored = { id, error: this.#restoreBackup(whole, version) };
  }

  /**
   * Whatever the machine makes of a backup, all replicas make the same of it: one that it does not take, by whatever exception, is
   * refused, and the state stays. (A node that halted here would halt again each time it is opened.)
   */
  #restoreBackup(backup: Uint8Array, version: number): LogboomError | undefined {
    if (version > this.#version) {
      const text = `the backup is of machine version ${version}, and ${this.#version} is active`;
      return new LogboomError("BAD_INPUT", text);
    }
    const before = concatBytes(...this.machine.snapshot());
    try {
      this.machine.restore(backup, version);
      this.#migrate(version, this.#version);
      return undefined;
    } catch (cause) {
      // It may have got halfway.
      this.machine.restore(before, this.#version);
      const why = cause instanceof Error ? cause.message : String(cause);
      return new LogboomError("BAD_INPUT", `the backup was refused: ${why}`, { cause });
    }
  }
}

/** The machine's part of a body. @throws DecodeError */
export async function* stateOf(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const reader = new ChunkReader(body);
  await headOf(reader);
  yield* reader.rest();
}

async function headOf(reader: ChunkReader): Promise<Uint8Array> {
  return await reader.take(headLength(await reader.take(prefixBytes)));
}
