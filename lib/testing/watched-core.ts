/**
 * A core that is watched: within a runtime that knows nothing of it, every call of the core is looked at before the next.
 *
 * Its methods are replaced on the one instance, by the same with a look after it.
 */
import type { RawNode } from "../core/raw-node.js";
import type { StepResult } from "../core/results.js";
import type { Entry, Index, Message, Ready, Write } from "../core/types.js";

export interface CoreWatch {
  /** After every call. */
  looked(): void;
  stepping(message: Message): void;
  /** Around the step of a message. */
  step(message: Message, step: () => StepResult): StepResult;
  said(messages: readonly Message[]): void;
  handing(write: Write): void;
  durable(write: Write): void;
  committed(entries: readonly Entry[]): void;
  applied(index: Index): void;
  compacted(index: Index): void;
  /** After what the core handed out was taken. */
  settled(): void;
}

/** @param watch  is asked at each call; undefined when the core does not matter any more */
export function watchCore(core: RawNode, watch: () => CoreWatch | undefined): void {
  const { step, ready, persisted, applied, compacted } = core;
  replace(core, "step", function (this: RawNode, message: Message) {
    const now = watch();
    if (now === undefined) return step.call(this, message);
    now.stepping(message);
    const result = now.step(message, () => step.call(this, message));
    now.looked();
    return result;
  });
  replace(core, "ready", function (this: RawNode): Ready {
    const now = watch();
    now?.looked();
    const taken = ready.call(this);
    if (now === undefined) return taken;
    now.said(taken.messages);
    if (taken.write !== undefined) now.handing(taken.write);
    now.committed(taken.committedEntries);
    now.settled();
    return taken;
  });
  replace(core, "persisted", function (this: RawNode, write: Write) {
    watch()?.durable(write);
    const owed = persisted.call(this, write);
    const now = watch();
    now?.looked();
    now?.said(owed);
    return owed;
  });
  replace(core, "applied", function (this: RawNode, index: Index) {
    watch()?.applied(index);
    applied.call(this, index);
    watch()?.looked();
  });
  replace(core, "compacted", function (this: RawNode, index: Index) {
    watch()?.compacted(index);
    compacted.call(this, index);
    watch()?.looked();
  });
  for (const name of looked) {
    const inner = core[name] as (...given: never[]) => unknown;
    replace(core, name, function (this: RawNode, ...given: never[]) {
      const result = inner.apply(this, given);
      watch()?.looked();
      return result;
    });
  }
}

/** Calls that need no more than the look. */
const looked = [
  "tick",
  "campaign",
  "propose",
  "proposeConfChange",
  "readIndex",
  "transferLeader",
  "forgetLeader",
  "requestSnapshot",
  "reportUnreachable",
  "reportSnapshot",
  "applyConfChange",
] as const;

function replace(core: RawNode, name: keyof RawNode, by: unknown): void {
  Object.defineProperty(core, name, { value: by });
}
