/** Opening a peer in a browser: its IndexedDB store, the identity in it, its links, and the state it replays into. */
import type { Clock } from "../base/clock.js";
import type { AnyMachine } from "../machines/machine.js";
import { createReplica } from "../machines/replica.js";
import { systemRandom } from "../runtime/system-random.js";
import { identityOf } from "../security/identity.js";
import { createPeerTransport, type PeerTransport } from "../security/peer-transport.js";
import type { RoomKeys } from "../security/room-keys.js";
import { openIndexedDbStore } from "../storage/indexeddb.js";
import type { Acknowledged, OpenedStore } from "../storage/storage.js";
import { RoomPeer, type RoomPeerEvents } from "./peer.js";
import type { RoomRecord } from "./registry.js";
import { Replicated } from "./replicated.js";
import type { HeldSlot } from "./slots.js";
import type { RoomOptions } from "./types.js";

export interface PeerSetting {
  readonly record: RoomRecord;
  readonly keys: RoomKeys;
  readonly machine: AnyMachine;
  readonly options: RoomOptions;
  readonly clock: Clock;
  /** The slot's peer founds the room, and has not done so yet. */
  founds(slot: HeldSlot): Promise<boolean>;
}

export interface SlotOpening {
  readonly slot: HeldSlot;
  readonly adopted: boolean;
  readonly events: RoomPeerEvents;
  /** What an earlier opening in this page had acknowledged. */
  readonly notBelow?: Acknowledged | undefined;
}

/** @throws LogboomError `NO_STORAGE`, `STORAGE_FAILED`, `STORAGE_LOCKED`, `STORE_WENT_BACK` */
export async function openPeer<S>(
  setting: PeerSetting,
  opening: SlotOpening,
): Promise<{ peer: RoomPeer<S>; transport: PeerTransport }> {
  const { slot, notBelow } = opening;
  const store = await openIndexedDbStore({
    name: slot.storeName,
    ...(notBelow === undefined ? {} : { notBelow }),
  });
  try {
    return await assemble(setting, opening, store);
  } catch (error) {
    await store.storage.close();
    throw error;
  }
}

async function assemble<S>(
  { record, keys, machine, options, clock, founds }: PeerSetting,
  { slot, adopted, events }: SlotOpening,
  store: OpenedStore,
): Promise<{ peer: RoomPeer<S>; transport: PeerTransport }> {
  const { signSeed, storeId, boot } = store.identity;
  const identity = await identityOf(signSeed, storeId);
  const founding = await founds(slot);
  const transport = createPeerTransport({
    identity,
    boot: { counter: boot, nonce: crypto.getRandomValues(new Uint8Array(16)) },
    keys,
    clusterId: record.clusterId,
    relayUrl: options.relay,
    profileChannelName: `logboom/${record.roomId}`,
    iceServers: options.iceServers ?? [],
    clock,
    random: systemRandom,
  });
  const peer = new RoomPeer<S>({
    slot,
    store,
    member: {
      id: identity.nodeId,
      publicKey: identity.publicKey,
      storeId,
      name: options.name ?? platformName(),
      author: record.author,
    },
    transport,
    credentials: (id) => transport.credentials(id),
    replicated: new Replicated<S>(createReplica<S>(machine)),
    machine,
    adopted,
    founds: founding,
    clock,
    random: systemRandom,
    events,
  });
  return { peer, transport };
}

const browsers: readonly (readonly [mark: string, name: string])[] = [
  ["Edg/", "Edge"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
];
const systems: readonly string[] = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"];

/** "Chrome on Linux", as far as the platform tells. */
function platformName(): string {
  const { userAgent } = navigator;
  const browser = browsers.find(([mark]) => userAgent.includes(mark))?.[1] ?? "Browser";
  const system = systems.find((name) => userAgent.includes(name)) ?? "a device";
  return `${browser} on ${system}`;
}
