/**
 * MemberedMachine: the user's state machine with the members' table beside it, as one machine with one snapshot.
 *
 * Commands pass through untouched, so the log holds what users proposed and nothing else. Not here: what the table's bytes are
 * (members.ts).
 */
import { concatBytes } from "../base/bytes.js";
import { DecodeError, isLogboomError, LogboomError } from "../base/errors.js";
import type { Index } from "../core/types.js";
import { restoreFrom } from "./applier.js";
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
import { hashState, type StateHash } from "./state-check.js";
import type { AppliedConfChange, AppliedEntry, StateMachine } from "./state-machine.js";

/** An external backup is collected in memory before it is restored. */
export const backupBytesMax: number = 256 * 1024 * 1024;

export class MemberedMachine<Result> implements StateMachine<Result> {
  readonly machine: StateMachine<Result>;
  /** The same as the machine's, where it has one. */
  readonly applyBatch?: NonNullable<StateMachine<Result>["applyBatch"]>;
  readonly appliedIndex?: NonNullable<StateMachine<Result>["appliedIndex"]>;
  /** Called with this replica's hash where states are compared. */
  onCheck: (hash: StateHash) => void = () => {};
  #head: Head = emptyHead;
  /** How the last backup ended, and by which id. */
  #restored: { readonly id: number; readonly error: LogboomError | undefined } | undefined;

  constructor(machine: StateMachine<Result>) {
    this.machine = machine;
    if (machine.applyBatch !== undefined) this.applyBatch = machine.applyBatch.bind(machine);
    if (machine.appliedIndex !== undefined) this.appliedIndex = machine.appliedIndex.bind(machine);
  }

  get configurationIndex(): Index {
    return this.#head.configurationIndex;
  }

  get addresses(): Addresses {
    return this.#head.addresses;
  }

  /** How backup `id` ended; undefined while it has not. */
  outcomeOf(id: number): { readonly error: LogboomError | undefined } | undefined {
    return this.#restored?.id === id ? this.#restored : undefined;
  }

  /** For whoever founds a cluster: the table it begins with. */
  found(addresses: Addresses): void {
    this.#head = { ...emptyHead, configurationIndex: 1, addresses };
  }

  apply(entry: AppliedEntry): Result {
    return this.machine.apply(entry);
  }

  applyConfChange(change: AppliedConfChange): void {
    const context = decodeContext(change.context);
    if (context?.type === "check") {
      this.onCheck(hashState(context.id, change.index, this.snapshot()));
    } else if (context?.type === "restore") this.#collect(context);
    else this.#configure(change, context);
    this.machine.applyConfChange?.(change);
  }

  /** The head is of the moment of the first step, as the state of a machine whose `snapshot` is a generator. */
  *snapshot(): Iterable<Uint8Array> {
    const head = encodeHead(this.#head);
    const chunks = this.machine.snapshot()[Symbol.iterator]();
    const first = chunks.next();
    yield head;
    for (let next = first; next.done !== true; next = chunks.next()) yield next.value;
  }

  restore(body: Uint8Array): void {
    const end = prefixBytes + headLength(body.subarray(0, prefixBytes));
    if (end > body.length) throw new DecodeError("snapshot body ends in its head");
    const head = decodeHead(body.subarray(prefixBytes, end));
    this.machine.restore(body.subarray(end));
    this.#head = head;
  }

  async restoreFrom(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const reader = new ChunkReader(chunks);
    const head = decodeHead(await reader.take(headLength(await reader.take(prefixBytes))));
    await restoreFrom(this.machine, reader.rest());
    this.#head = head;
  }

  #configure(
    { index, confState }: AppliedConfChange,
    context: Extract<ChangeContext, { type: "addresses" }> | undefined,
  ): void {
    const ids = memberIds(confState);
    const addresses = new Map(this.#head.addresses);
    for (const [id, address] of context?.addresses ?? []) addresses.set(id, address);
    for (const id of addresses.keys()) if (!ids.has(id)) addresses.delete(id);
    this.#head = { ...this.#head, configurationIndex: index, addresses };
  }

  #collect({ id, offset, last, data }: Extract<ChangeContext, { type: "restore" }>): void {
    const before = this.#head.backup?.id === id ? this.#head.backup.data : new Uint8Array(0);
    // A piece that does not fit is of a backup that somebody else broke off.
    if (before.length !== offset || before.length + data.length > backupBytesMax) return;
    const whole = concatBytes(before, data);
    this.#head = { ...this.#head, backup: last ? undefined : { id, data: whole } };
    if (!last) return;
    this.#restored = { id, error: undefined };
    try {
      this.machine.restore(whole);
    } catch (cause) {
      if (!isLogboomError(cause) || cause.code !== "DECODE") throw cause;
      const error = new LogboomError("BAD_INPUT", `the backup was refused: ${cause.message}`, {
        cause,
      });
      this.#restored = { id, error };
    }
  }
}

/** Bytes from the front of a stream of chunks, then the rest of it. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#buffer.length < length) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new DecodeError("snapshot body ends in its head");
      this.#buffer = concatBytes(this.#buffer, next.value);
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async *rest(): AsyncIterable<Uint8Array> {
    if (this.#buffer.length > 0) yield this.#buffer;
    for (let next = await this.#chunks.next(); next.done !== true; ) {
      yield next.value;
      next = await this.#chunks.next();
    }
  }
}
