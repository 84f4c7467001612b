/** The door to a room in a real browser: founding, finding again, sharing in a page, and what is refused with which words. */
import { afterEach, describe, expect, it } from "vitest";
import { defineMachine, isRejected } from "../../lib/machines/machine.js";
import { formatInvite, newInvite } from "../../lib/room/invite.js";
import type { RoomRecord, SlotRecord } from "../../lib/room/registry.js";
import { createRoom, joinRoom, openRoom } from "../../lib/room/room.js";
import { Slots } from "../../lib/room/slots.js";
import type { OpenOptions, Room } from "../../lib/room/types.js";
import { deleteIndexedDbStore } from "../../lib/storage/indexeddb.js";
import { openSharedMap } from "../../lib/storage/shared-map.js";

interface Seats {
  owners: Record<string, string>;
}
const seats = defineMachine({
  name: "seats",
  version: 1,
  rejects: ["taken"],
  initial: (): Seats => ({ owners: {} }),
  commands: {
    claim(state, { id }: { id: string }, ctx) {
      if (state.owners[id] !== undefined) return ctx.reject("taken");
      state.owners[id] = ctx.author;
      return id;
    },
    count(state) {
      return Object.keys(state.owners).length;
    },
  },
});
type SeatsRoom = Room<Seats, (typeof seats)["commands"], "taken">;

// Nobody listens there: a dead relay must disturb nothing.
const relay = "ws://127.0.0.1:9/relay";
const opened: SeatsRoom[] = [];
let key = 0;

function options(more: Partial<OpenOptions> = {}): OpenOptions {
  return { relay, peerPer: "tab", key: `test-${key}`, name: "Kitchen tablet", ...more };
}
async function open(more: Partial<OpenOptions> = {}): Promise<SeatsRoom> {
  const room = await openRoom(seats, options(more));
  opened.push(room);
  return room;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((room) => room.close()));
  key += 1;
});

describe("a room", () => {
  it("is founded by the first opening and takes commands", async () => {
    const room = await open();
    expect(await room.do.claim({ id: "7" })).toBe("7");
    expect(room.state.owners["7"]).toBe(room.me.author);
    expect(room.committed).toBe(room.state);
    expect(room.status).toMatchObject({
      role: "leader",
      quorum: "ok",
      durability: 1,
      voters: [room.me.id],
    });
    expect(room.peers).toEqual([expect.objectContaining({ self: true, name: "Kitchen tablet" })]);
  });

  it("tells a refused caller the machine's reason, and listeners too", async () => {
    const room = await open();
    const events: unknown[] = [];
    room.on("rejected", (event) => events.push(event));
    await room.do.claim({ id: "7" });
    const error = await room.do.claim({ id: "7" }).catch((refusal: unknown) => refusal);
    expect(isRejected(error, seats) && error.reason).toBe("taken");
    expect(events).toEqual([{ command: "claim", input: { id: "7" }, reason: "taken" }]);
  });

  it("is found again with everything in it, and can be written", async () => {
    const first = await open();
    await first.do.claim({ id: "7" });
    await first.close();
    const second = await open();
    expect(second.id).toBe(first.id);
    expect(second.me.id).toBe(first.me.id);
    expect(second.me.author).toBe(first.me.author);
    await second.do.claim({ id: "8" });
    expect(Object.keys(second.state.owners).sort()).toEqual(["7", "8"]);
  });

  it("opened twice at once in a page is one room with two handles", async () => {
    const [one, two] = await Promise.all([open(), open()]);
    expect(one.id).toBe(two.id);
    expect(one.me.id).toBe(two.me.id);
    await one.do.claim({ id: "7" });
    expect(two.state).toBe(one.state);
    await one.close();
    await expect(one.do.claim({ id: "8" })).rejects.toMatchObject({ code: "CLOSED" });
    expect(await two.do.claim({ id: "8" })).toBe("8");
  });

  it("waits for its own end before it is opened again", async () => {
    const first = await open();
    const id = first.me.id;
    const [, again] = await Promise.all([first.close(), open()]);
    expect(again.me.id).toBe(id);
  });

  it("keeps its state's identity until it changes, and tells subscribers when it does", async () => {
    const room = await open();
    await room.do.claim({ id: "7" });
    const before = room.state;
    let told = 0;
    const off = room.subscribe(() => told++);
    expect(await room.do.count()).toBe(1);
    expect(room.state).toBe(before);
    await room.do.claim({ id: "8" });
    expect(room.state).not.toBe(before);
    expect(told).toBe(1);
    off();
    await room.do.claim({ id: "9" });
    expect(told).toBe(1);
  });

  it("answers hostile ids like unknown ones, and harms no object of the page", async () => {
    const room = await open();
    for (const id of ["constructor", "toString", "hasOwnProperty"]) {
      expect(await room.do.claim({ id })).toBe(id);
      await expect(room.do.claim({ id })).rejects.toMatchObject({ reason: "taken" });
    }
    // A key of that name is no value: the command is rejected, alike everywhere, and leaves no trace.
    await expect(room.do.claim({ id: "__proto__" })).rejects.toMatchObject({ reason: "threw" });
    expect(Object.keys(room.state.owners)).toHaveLength(3);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("makes commands a plain frozen object", async () => {
    const room = await open();
    expect(Object.isFrozen(room.do)).toBe(true);
    expect(Object.keys(room.do)).toEqual(["claim", "count"]);
    expect(await room.do).toBe(room.do);
  });

  it("ends what waits when it is closed", async () => {
    const joining = await joinRoom(seats, { ...options(), invite: formatInvite(newInvite()) });
    const waiting = joining.do.claim({ id: "7" });
    expect(joining.status).toMatchObject({ role: "joining", quorum: "lost" });
    await joining.close();
    await expect(waiting).rejects.toMatchObject({ code: "CLOSED", outcome: "unknown" });
  });

  it("is another one for createRoom, and the newest is what openRoom finds", async () => {
    const first = await open();
    const second = await createRoom(seats, options());
    opened.push(second);
    expect(second.id).not.toBe(first.id);
    await second.close();
    await first.close();
    expect((await open()).id).toBe(second.id);
  });
});

describe("a founder that is gone at once", () => {
  it("is adopted though the registry was not told whose store its slot is", async () => {
    const { roomId, free } = await leftByFounder();
    const room = await open();
    expect(room.id).toBe(roomId);
    expect(room.status.role).toBe("joining");
    free();
    expect(await room.do.claim({ id: "8" })).toBe("8");
    expect(Object.keys(room.state.owners)).toEqual(["7", "8"]);
  });

  it("is let go of, and adopted again, when the registry does not take that it has founded", async () => {
    const { roomId, slotId, free } = await leftByFounder();
    const registry = await openSharedMap<RoomRecord>("logboom");
    await registry.update(roomId, (room) =>
      room === undefined ? undefined : { ...room, founding: slotId },
    );
    const room = await open();
    const put = IDBObjectStore.prototype.put;
    const refused = new Promise<void>((resolve) => {
      IDBObjectStore.prototype.put = function (value, key) {
        const founded = key === roomId && (value as RoomRecord).founding === undefined;
        if (!founded) return put.call(this, value, key);
        IDBObjectStore.prototype.put = put;
        resolve();
        throw new DOMException("no room left", "QuotaExceededError");
      };
    });
    free();
    await refused;
    const closed = new Slots(registry, roomId);
    await expect.poll(() => closed.free().then((slots) => slots.length)).toBe(1);
    expect(room.peers.filter((peer) => peer.adopted)).toEqual([]);
    expect(await room.do.claim({ id: "8" })).toBe("8");
    expect((await registry.get(roomId))?.founding).toBeUndefined();
    registry.close();
  });

  it("is made up for when it wrote nothing: its slot founds the room, once", async () => {
    const { roomId, slotId, free } = await leftByFounder();
    await deleteIndexedDbStore(`logboom/${roomId}/${slotId}`);
    const registry = await openSharedMap<RoomRecord>("logboom");
    const founding = async (): Promise<string | undefined> =>
      (await registry.get(roomId))?.founding;
    await registry.update(roomId, (room) =>
      room === undefined ? undefined : { ...room, founding: slotId },
    );
    const room = await open();
    free();
    expect(await room.do.claim({ id: "8" })).toBe("8");
    expect(Object.keys(room.state.owners)).toEqual(["8"]);
    expect(await founding()).toBeUndefined();
    registry.close();
  });
});

describe("an invite", () => {
  it("is a link whose fragment holds the secret, and leads back to the same room", async () => {
    const room = await open();
    const link = room.invite("https://app.example/board#old");
    expect(link).toMatch(/^https:\/\/app\.example\/board#logboom=1\.[\w-]+$/);
    const again = await open({ invite: link });
    expect(again.id).toBe(room.id);
  });

  it.each([
    ["cut short", "#logboom=1.abc", "copy the whole link"],
    ["of a later version", "#logboom=7.abc", "update the application"],
  ])("%s is refused with advice", async (_name, invite, advice) => {
    await expect(open({ invite })).rejects.toThrow(advice);
    await expect(open({ invite })).rejects.toMatchObject({ code: "BAD_INVITE", outcome: "none" });
  });

  it("that is missing is what joinRoom says is missing", async () => {
    await expect(
      joinRoom(seats, { ...options(), invite: "https://app.example/" }),
    ).rejects.toMatchObject({
      code: "BAD_INVITE",
    });
  });
});

describe("options", () => {
  it.each([
    ["peerPer profile", { peerPer: "profile" }, "NOT_SUPPORTED", /"profile" does not exist yet/],
    ["no peerPer", { peerPer: undefined }, "BAD_CONFIG", /peerPer must be given and be "tab"/],
    [
      "an http relay",
      { relay: "https://x.example" },
      "BAD_CONFIG",
      /relay must be a URL beginning with wss/,
    ],
    ["a long name", { name: "x".repeat(65) }, "BAD_CONFIG", /name must be a string of at most 64/],
  ] as const)("%s is refused by name", async (_name, more, code, message) => {
    const attempt = openRoom(seats, { ...options(), ...(more as Partial<OpenOptions>) });
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ code });
  });

  it("an aborted signal ends the opening", async () => {
    const signal = AbortSignal.abort();
    await expect(open({ signal })).rejects.toMatchObject({ code: "ABORTED", outcome: "none" });
  });

  it("a key whose room runs another machine is refused", async () => {
    await (await open()).close();
    const other = defineMachine({ name: "other", version: 1, initial: () => ({}), commands: {} });
    await expect(openRoom(other, options())).rejects.toMatchObject({ code: "WRONG_MACHINE" });
  });
});

/** A room as its founder leaves it when its page ends within the first moments; `free` lets go of the slot, which is held. */
async function leftByFounder(): Promise<{ roomId: string; slotId: string; free: () => void }> {
  const founder = await open();
  await founder.do.claim({ id: "7" });
  const roomId = founder.id;
  await founder.close();
  const registry = await openSharedMap<RoomRecord>("logboom");
  let slotId = "";
  await registry.update(roomId, (room) => {
    if (room === undefined) return undefined;
    const [slot] = room.slots as [SlotRecord];
    slotId = slot.id;
    return { ...room, slots: [{ ...slot, nodeId: undefined }] };
  });
  registry.close();
  const held = await new Slots(registry, roomId).tryHold(slotId);
  if (held === undefined) throw new Error("the founder's slot is not free");
  return { roomId, slotId, free: () => held.release() };
}
