/** Who is in which room. Nothing is stored: a room exists while somebody is in it. */
import type { ToClient } from "logboom/relay-protocol";

/** What others in the room see of a connection. */
export interface Member {
  readonly connId: number;
  deliver(frame: ToClient): void;
}

export class Rooms {
  readonly #rooms = new Map<string, Map<number, Member>>();
  readonly #roomsMax: number;
  readonly #membersMax: number;

  constructor(roomsMax: number, membersMax: number) {
    this.#roomsMax = roomsMax;
    this.#membersMax = membersMax;
  }

  get size(): number {
    return this.#rooms.size;
  }

  /** The members met there, or undefined when there is no place. The newcomer is a member afterwards. */
  enter(roomId: string, member: Member): readonly Member[] | undefined {
    const room = this.#rooms.get(roomId) ?? new Map<number, Member>();
    if (room.size === 0 && this.#rooms.size >= this.#roomsMax) return undefined;
    if (room.size >= this.#membersMax) return undefined;
    const met = [...room.values()];
    room.set(member.connId, member);
    this.#rooms.set(roomId, room);
    return met;
  }

  /** Those who stay. */
  leave(roomId: string, connId: number): readonly Member[] {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return [];
    room.delete(connId);
    if (room.size === 0) this.#rooms.delete(roomId);
    return [...room.values()];
  }

  member(roomId: string, connId: number): Member | undefined {
    return this.#rooms.get(roomId)?.get(connId);
  }

  others(roomId: string, connId: number): readonly Member[] {
    const room = this.#rooms.get(roomId) ?? new Map<number, Member>();
    return [...room.values()].filter((member) => member.connId !== connId);
  }
}
