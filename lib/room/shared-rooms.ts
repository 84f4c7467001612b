/**
 * Shared rooms: one engine for all handles of a room in this page, and what it is made of: stores, keys, links, the page's
 * clock and its comings and goings.
 *
 * Two widgets, or a framework that mounts twice, get the same peer; the last handle to close ends it.
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import type { AnyMachine } from "../machines/machine.js";
import { createReplica } from "../machines/replica.js";
import { systemRandom } from "../runtime/system-random.js";
import { pageClock } from "../runtime/ticker.js";
import { identityOf } from "../security/identity.js";
import {
  connectPort,
  createPeerTransport,
  type PeerTransport,
} from "../security/peer-transport.js";
import { roomKeysOf } from "../security/room-keys.js";
import { deleteIndexedDbStore, openIndexedDbStore } from "../storage/indexeddb.js";
import type { Acknowledged } from "../storage/storage.js";
import { RoomEngine } from "./engine.js";
import type { Member } from "./members.js";
import { RoomPeer, type RoomPeerEvents } from "./peer.js";
import type { Registry, RoomRecord } from "./registry.js";
import { Replicated } from "./replicated.js";
import { type HeldSlot, Slots } from "./slots.js";
import type { StatusSources } from "./status.js";
import type { RoomOptions } from "./types.js";

export interface SharedRoom<S> {
  readonly engine: RoomEngine<S>;
  /** State, status or peers may have changed. */
  readonly changed: Emitter<undefined>;
  sources(): StatusSources;
  handles: number;
  readonly end: () => Promise<void>;
}

const rooms = new Map<string, Promise<SharedRoom<unknown>>>();

/** The room's engine in this page, started if this is the first handle. */
export async function openShared<S>(
  record: RoomRecord,
  registry: Registry,
  machine: AnyMachine,
  options: RoomOptions,
): Promise<SharedRoom<S>> {
  const known = rooms.get(record.roomId);
  if (known !== undefined) {
    const shared = await known;
    shared.handles += 1;
    return shared as SharedRoom<S>;
  }
  const opening = startShared<S>(record, registry, machine, options);
  rooms.set(record.roomId, opening as Promise<SharedRoom<unknown>>);
  try {
    return await opening;
  } catch (error) {
    rooms.delete(record.roomId);
    throw error;
  }
}

/** Lets one handle go; the last one ends the engine. */
export async function closeShared(
  roomId: string,
  shared: SharedRoom<never> | SharedRoom<unknown>,
): Promise<void> {
  shared.handles -= 1;
  if (shared.handles > 0) return;
  rooms.delete(roomId);
  await shared.end();
}

async function startShared<S>(
  record: RoomRecord,
  registry: Registry,
  machine: AnyMachine,
  options: RoomOptions,
): Promise<SharedRoom<S>> {
  const keys = await roomKeysOf(record.secret);
  const clock = pageClock();
  const slots = new Slots(registry, record.roomId);
  const changed = createEmitter<undefined>();
  const transports = new Map<RoomPeer<S>, PeerTransport>();
  let persisted: boolean | undefined;
  void askToPersist().then((answer) => {
    persisted = answer;
    changed.emit(undefined);
  });

  const openPeer = async (
    slot: HeldSlot,
    adopted: boolean,
    events: RoomPeerEvents,
    notBelow?: Acknowledged,
  ): Promise<RoomPeer<S>> => {
    const store = await openIndexedDbStore({
      name: slot.storeName,
      ...(notBelow === undefined ? {} : { notBelow }),
    });
    const identity = await identityOf(store.identity.signSeed, store.identity.storeId);
    const member: Member = {
      id: identity.nodeId,
      publicKey: identity.publicKey,
      storeId: identity.storeId,
      name: options.name ?? platformName(),
      author: record.author,
    };
    const transport = createPeerTransport({
      identity,
      boot: {
        counter: store.identity.boot,
        nonce: crypto.getRandomValues(new Uint8Array(16)),
      },
      keys,
      clusterId: record.clusterId,
      relayUrl: options.relay,
      profileChannelName: `logboom/${record.roomId}`,
      iceServers: options.iceServers ?? [],
      clock,
      random: systemRandom,
    });
    transport.onRelayStatus(() => changed.emit(undefined));
    const replicated = new Replicated<S>(createReplica<S>(machine));
    const peer = new RoomPeer<S>({
      slot,
      store,
      member,
      transport,
      credentials: (peer) => transport.credentials(peer),
      replicated,
      machine,
      adopted,
      founds: await founds(registry, record.roomId, slot),
      clock,
      random: systemRandom,
      events,
    });
    transports.set(peer, transport);
    return peer;
  };

  const engine = new RoomEngine<S>({
    slots,
    clock,
    author: record.author,
    machineVersion: machine.version,
    openPeer,
    founded: (slot) => forgetFounding(registry, record.roomId, slot),
    connect: (a, b) => {
      const [one, other] = [transports.get(a), transports.get(b)];
      if (one !== undefined && other !== undefined) connectPort(one, other);
    },
    deleteStore: (slot) => deleteIndexedDbStore(slot.storeName),
  });
  engine.changed.on(() => changed.emit(undefined));
  await engine.start();
  const stopListening = listenToPage(engine);

  return {
    engine,
    changed,
    handles: 1,
    sources: () => {
      const transport = transports.get(engine.own);
      return {
        relay: transport?.relayStatus ?? "off",
        iceFailed: transport?.iceFailed ?? false,
        persisted,
      };
    },
    end: async () => {
      stopListening();
      await engine.close();
      changed.clear();
    },
  };
}

/** True while the slot's peer is the one that founds the room and has not done so yet. */
async function founds(registry: Registry, roomId: string, slot: HeldSlot): Promise<boolean> {
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
  const leave = (): void => engine.goodbye();
  const back = (event: PageTransitionEvent): void => {
    // Out of the back-forward cache: locks and links are gone, what is on disk counts.
    if (event.persisted) void engine.restart();
  };
  globalThis.addEventListener("pagehide", leave);
  globalThis.addEventListener("pageshow", back);
  globalThis.document?.addEventListener("freeze", leave);
  return () => {
    globalThis.removeEventListener("pagehide", leave);
    globalThis.removeEventListener("pageshow", back);
    globalThis.document?.removeEventListener("freeze", leave);
  };
}

async function askToPersist(): Promise<boolean | undefined> {
  try {
    return await navigator.storage?.persist?.();
  } catch {
    return undefined;
  }
}

/** "Chrome on Linux", as far as the platform tells. */
function platformName(): string {
  const agent = navigator.userAgent;
  const browser =
    [
      ["Edg/", "Edge"],
      ["Firefox/", "Firefox"],
      ["Chrome/", "Chrome"],
      ["Safari/", "Safari"],
    ].find(([mark = ""]) => agent.includes(mark))?.[1] ?? "Browser";
  const system =
    ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].find((name) =>
      agent.includes(name),
    ) ?? "a device";
  return `${browser} on ${system}`;
}
