/**
 * Shared rooms: one engine for all handles of a room in this page, with the page's clock and its comings and goings.
 *
 * Two widgets, or a framework that mounts twice, get the same peer; the last handle to close ends it, and who opens the room
 * again meanwhile waits for that end, so that it finds its slot free.
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { AnyMachine } from "../machines/machine.js";
import { pageClock } from "../runtime/ticker.js";
import { connectPort, type PeerTransport } from "../security/peer-transport.js";
import { roomKeysOf } from "../security/room-keys.js";
import { deleteIndexedDbStore } from "../storage/indexeddb.js";
import { askForPersistence } from "../storage/persistence.js";
import { RoomEngine } from "./engine.js";
import { openPeer, type PeerSetting } from "./open-peer.js";
import type { RoomPeer } from "./peer.js";
import type { Registry, RoomRecord } from "./registry.js";
import { type HeldSlot, Slots } from "./slots.js";
import type { StatusSources } from "./status.js";
import type { RoomOptions } from "./types.js";

export interface SharedRoom<S> {
  readonly engine: RoomEngine<S>;
  /** State, status or peers may have changed. */
  readonly changed: Emitter<undefined>;
  sources(): StatusSources;
  handles: number;
  end(): Promise<void>;
}

const rooms = new Map<string, Promise<SharedRoom<unknown>>>();
const ending = new Map<string, Promise<void>>();

/** The room's engine in this page, started if this is the first handle. */
export async function openShared<S>(
  record: RoomRecord,
  registry: Registry,
  machine: AnyMachine,
  options: RoomOptions,
): Promise<SharedRoom<S>> {
  const { roomId } = record;
  await ending.get(roomId);
  const known = rooms.get(roomId);
  if (known !== undefined) {
    const shared = await known;
    shared.handles += 1;
    return shared as SharedRoom<S>;
  }
  const opening = startShared<S>(record, registry, machine, options);
  rooms.set(roomId, opening as Promise<SharedRoom<unknown>>);
  try {
    return await opening;
  } catch (error) {
    rooms.delete(roomId);
    throw error;
  }
}

/** Lets one handle go; the last one ends the engine. */
export async function closeShared<S>(roomId: string, shared: SharedRoom<S>): Promise<void> {
  shared.handles -= 1;
  if (shared.handles > 0) return;
  rooms.delete(roomId);
  const end = shared.end().finally(() => ending.delete(roomId));
  ending.set(roomId, end);
  await end;
}

async function startShared<S>(
  record: RoomRecord,
  registry: Registry,
  machine: AnyMachine,
  options: RoomOptions,
): Promise<SharedRoom<S>> {
  const { roomId } = record;
  const clock = pageClock();
  const changed = createEmitter<undefined>();
  const transports = new Map<RoomPeer<S>, PeerTransport>();
  const keys = await roomKeysOf(record.secret);
  const founds: PeerSetting["founds"] = (slot) => isFounding(registry, roomId, slot);
  const setting: PeerSetting = { record, keys, machine, options, clock, founds };
  const engine = new RoomEngine<S>({
    slots: new Slots(registry, roomId),
    clock,
    author: record.author,
    machineVersion: machine.version,
    async openPeer(opening) {
      const { peer, transport } = await openPeer<S>(setting, opening);
      transport.onRelayStatus(() => changed.emit(undefined));
      transports.set(peer, transport);
      return peer;
    },
    founded: (slot) => forgetFounding(registry, roomId, slot),
    connect(a, b) {
      const [one, other] = [transports.get(a), transports.get(b)];
      if (one !== undefined && other !== undefined) connectPort(one, other);
    },
    async deletePeer(peer) {
      transports.delete(peer);
      await deleteIndexedDbStore(peer.slot.storeName);
    },
  });
  engine.changed.on(() => changed.emit(undefined));
  await engine.start();
  let persisted: boolean | undefined;
  void askForPersistence().then((answer) => {
    persisted = answer;
    changed.emit(undefined);
  });
  const stopListening = listenToPage(engine);
  return {
    engine,
    changed,
    handles: 1,
    sources() {
      const transport = transports.get(engine.own);
      return {
        relay: transport?.relayStatus ?? "off",
        iceFailed: transport?.iceFailed ?? false,
        persisted,
      };
    },
    async end() {
      stopListening();
      await engine.close();
      changed.clear();
    },
  };
}

/** True while the slot's peer is the one that founds the room and has not done so yet. */
async function isFounding(registry: Registry, roomId: string, slot: HeldSlot): Promise<boolean> {
  return (await registry.get(roomId))?.founding === slot.id;
}

/** Once: from now on an empty store in that slot is a newcomer's, whatever became of the founder's. */
async function forgetFounding(registry: Registry, roomId: string, slot: HeldSlot): Promise<void> {
  await registry.update(roomId, (room) =>
    room?.founding === slot.id ? { ...room, founding: undefined } : room,
  );
}

/** Goodbyes are hints: nothing relies on their arrival. */
function listenToPage<S>(engine: RoomEngine<S>): () => void {
  const ends = new AbortController();
  const { signal } = ends;
  globalThis.addEventListener("pagehide", () => engine.leave(), { signal });
  globalThis.addEventListener(
    "pageshow",
    (event) => {
      // Out of the back-forward cache: locks and links are gone, what is on disk counts.
      if (event.persisted) void engine.restart();
    },
    { signal },
  );
  globalThis.document?.addEventListener("freeze", () => engine.goodbye(), { signal });
  globalThis.document?.addEventListener("resume", () => engine.stay(), { signal });
  return () => ends.abort();
}
