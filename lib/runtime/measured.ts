/** A machine and a store whose calls are timed, for a node that has somebody to tell. Everything else is passed on as it is. */
import type { Clock } from "../base/clock.js";
import type { Index } from "../core/types.js";
import type { OpenedStore } from "../storage/storage.js";
import type { StateMachine } from "./state-machine.js";

export type MachineCall =
  | "apply"
  | "applyBatch"
  | "applyConfChange"
  | "snapshot"
  | "restore"
  | "restoreFrom";

const machineCalls: ReadonlySet<unknown> = new Set<MachineCall>([
  "apply",
  "applyBatch",
  "applyConfChange",
  "snapshot",
  "restore",
  "restoreFrom",
]);

/** @param took  told of each call that came back: milliseconds, and for a batch how many commands it had */
export function measuredMachine<M extends StateMachine<unknown>>(
  machine: M,
  clock: Clock,
  took: (call: MachineCall, ms: number, count: number) => void,
): M {
  const timed = (call: MachineCall, run: (...given: unknown[]) => unknown) => {
    return (...given: unknown[]): unknown => {
      const from = clock.now();
      const [first] = given;
      const done = (): void =>
        took(call, clock.now() - from, Array.isArray(first) ? first.length : 1);
      const answer = run.apply(machine, given);
      if (call === "restoreFrom") return (answer as Promise<void>).then(done);
      done();
      return answer;
    };
  };
  const kept = new Map<unknown, unknown>();
  return new Proxy(machine, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      let method = kept.get(key);
      if (method === undefined) {
        const run = value as (...given: unknown[]) => unknown;
        method = machineCalls.has(key) ? timed(key as MachineCall, run) : run.bind(target);
        kept.set(key, method);
      }
      return method;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

export interface StoreTimes {
  /** Entries up to `last` are about to be written. */
  appending(last: Index): void;
  /** A snapshot's body was begun. */
  created(ms: number): void;
  /** … and is durable, so long after it was begun. */
  persisted(ms: number): void;
  compacted(ms: number): void;
}

export function measuredStore(store: OpenedStore, clock: Clock, times: StoreTimes): OpenedStore {
  const { storage, snapshots } = store;
  return {
    ...store,
    storage: {
      load: () => storage.load(),
      append(write) {
        const last = write.entries.at(-1);
        if (last !== undefined) times.appending(last.index);
        return storage.append(write);
      },
      async compact(snapshot, upTo) {
        const from = clock.now();
        await storage.compact(snapshot, upTo);
        times.compacted(clock.now() - from);
      },
      close: () => storage.close(),
    },
    snapshots: {
      async write(metadata) {
        const from = clock.now();
        const sink = await snapshots.write(metadata);
        times.created(clock.now() - from);
        return {
          write: (chunk) => sink.write(chunk),
          async finish() {
            await sink.finish();
            times.persisted(clock.now() - from);
          },
          abort: () => sink.abort(),
        };
      },
      read: (metadata) => snapshots.read(metadata),
      list: () => snapshots.list(),
      drop: (metadata) => snapshots.drop(metadata),
    },
  };
}
