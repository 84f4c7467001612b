/**
 * Registry: which rooms this browser profile knows, and their slots. One small database shared by all tabs.
 *
 * It is a directory, not the truth: roles come from the peers' logs, identities from their stores. What stands here helps to find
 * them before they are opened.
 */
import type { NodeId } from "../core/types.js";
import type { SharedMap } from "../storage/shared-map.js";

export interface SlotRecord {
  /** 8 random bytes in hex; part of the store's and the lock's name. */
  readonly id: string;
  /** Known once the store was opened. */
  readonly nodeId: NodeId | undefined;
  /** A voter by the configuration its peer applied last. */
  readonly voter: boolean;
  /** When it was last in use, milliseconds since 1970. */
  readonly usedAt: number;
}

export interface RoomRecord {
  readonly roomId: string;
  /** The application's name for rooms of this kind. */
  readonly key: string;
  readonly machine: string;
  readonly clusterId: Uint8Array;
  readonly secret: Uint8Array;
  /** Who this profile is in the room: 16 hex digits. */
  readonly author: string;
  /** The slot whose peer founds the room, until its store holds the founding; then undefined for good. */
  readonly founding: string | undefined;
  readonly usedAt: number;
  readonly slots: readonly SlotRecord[];
}

export type Registry = SharedMap<RoomRecord>;

/** The room of this kind that was used last. */
export async function lastRoom(registry: Registry, key: string): Promise<RoomRecord | undefined> {
  const rooms = (await registry.values()).filter((room) => room.key === key);
  rooms.sort((a, b) => b.usedAt - a.usedAt);
  return rooms[0];
}

export function changeSlot(
  registry: Registry,
  roomId: string,
  slotId: string,
  change: Partial<Omit<SlotRecord, "id">>,
): Promise<void> {
  return registry.update(roomId, (room) => {
    if (room === undefined) return undefined;
    const known = room.slots.find((slot) => slot.id === slotId);
    if (known === undefined) return room;
    const slots = room.slots.map((slot) => (slot === known ? { ...slot, ...change } : slot));
    return { ...room, slots };
  });
}

export function addSlot(registry: Registry, roomId: string, slot: SlotRecord): Promise<void> {
  return registry.update(roomId, (room) =>
    room === undefined ? undefined : { ...room, slots: [...room.slots, slot] },
  );
}

export function removeSlot(registry: Registry, roomId: string, slotId: string): Promise<void> {
  return registry.update(roomId, (room) =>
    room === undefined
      ? undefined
      : { ...room, slots: room.slots.filter((slot) => slot.id !== slotId) },
  );
}
