/** Records for the codec tests, built without repeating what they leave at zero. */
import {
  type ConfState,
  type Entry,
  emptyConfState,
  type Message,
  noBytes,
  type Snapshot,
} from "../../lib/core/types.js";

export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  const compact = hex.replaceAll(/\s/g, "");
  return Uint8Array.from({ length: compact.length / 2 }, (_, i) =>
    Number.parseInt(compact.slice(2 * i, 2 * i + 2), 16),
  );
}

export const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);

export function message(fields: Partial<Message> & Pick<Message, "type">): Message {
  return {
    to: 0,
    from: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    commitTerm: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: noBytes,
    requestSnapshot: 0,
    priority: 0,
    ...fields,
  };
}

export function entry(fields: Partial<Entry>): Entry {
  return { term: 0, index: 0, type: "EntryNormal", data: noBytes, unknown: undefined, ...fields };
}

export function confState(fields: Partial<ConfState>): ConfState {
  return { ...emptyConfState, ...fields };
}

export function snapshot(
  metadata: Partial<Snapshot["metadata"]>,
  data: Uint8Array = noBytes,
): Snapshot {
  return {
    metadata: { index: 0, term: 0, confState: emptyConfState, ...metadata },
    data,
    unknown: undefined,
  };
}
