/** The table of members: who is in it after each configuration entry, and what is remembered of who was. */
import { describe, expect, it } from "vitest";
import { emptyConfState } from "../../lib/core/types.js";
import { encodeValue } from "../../lib/machines/msgpack.js";
import {
  changeMembers,
  decodeMembers,
  decodeNewcomers,
  encodeMembers,
  encodeNewcomers,
  type Member,
  noMembers,
  removedMax,
} from "../../lib/room/members.js";

const member = (id: number): Member => ({
  id,
  publicKey: new Uint8Array(32).fill(id),
  storeId: new Uint8Array(16).fill(id),
  name: `device ${id}`,
  author: "0123456789abcdef",
});
const conf = (voters: number[], learners: number[] = []): typeof emptyConfState => ({
  ...emptyConfState,
  voters,
  learners,
});

describe("members", () => {
  it("take newcomers in with the configuration that names them", () => {
    const table = changeMembers(noMembers, conf([1], [2]), [member(1), member(2)]);
    expect([...table.members.keys()]).toEqual([1, 2]);
  });

  it("ignore a record whose id the configuration does not name", () => {
    const table = changeMembers(noMembers, conf([1]), [member(1), member(2)]);
    expect([...table.members.keys()]).toEqual([1]);
    expect(table.removed).toEqual([]);
  });

  it("keep the first record of an id: keys do not change under a name", () => {
    const first = changeMembers(noMembers, conf([1]), [member(1)]);
    const second = changeMembers(first, conf([1]), [{ ...member(1), name: "impostor" }]);
    expect(second.members.get(1)?.name).toBe("device 1");
  });

  it("keep who is only in the outgoing half or a learner to be, and strike off who is nowhere", () => {
    const before = changeMembers(noMembers, conf([1, 2], [3]), [1, 2, 3].map(member));
    const joint = { ...conf([1]), votersOutgoing: [1, 2], learnersNext: [2] };
    const during = changeMembers(before, joint, []);
    expect([...during.members.keys()]).toEqual([1, 2]);
    expect(during.removed).toEqual([3]);
    const after = changeMembers(during, conf([1]), []);
    expect(after.removed).toEqual([3, 2]);
  });

  it("remember a bounded number of removed ids, the newest", () => {
    let table = noMembers;
    for (let id = 1; id <= removedMax + 5; id++) {
      table = changeMembers(table, conf([id]), [member(id)]);
    }
    expect(table.removed).toHaveLength(removedMax);
    expect(table.removed.at(-1)).toBe(removedMax + 4);
  });

  it("are read back as they were written", () => {
    const table = {
      ...changeMembers(noMembers, conf([1], [2]), [member(1), member(2)]),
      removed: [9],
    };
    expect(decodeMembers(encodeMembers(table))).toEqual(table);
    expect(decodeNewcomers(encodeNewcomers([member(4)]))).toEqual([member(4)]);
    expect(decodeNewcomers(new Uint8Array(0))).toEqual([]);
  });

  const bad = (change: object): Uint8Array => encodeValue([{ ...member(1), ...change }]);
  it.each([
    ["a short key", bad({ publicKey: new Uint8Array(31) }), /public key must be 32 bytes, got 31/],
    ["an id of zero", bad({ id: 0 }), /member id must be a safe integer of at least 1/],
    ["a long name", bad({ name: "x".repeat(65) }), /device name must be at most 64 characters/],
    ["no list", encodeValue({}), /newcomers must be an array/],
    ["garbage", new Uint8Array([0xc1, 1, 2]), /./],
  ])("%s is a decode error", (_name, body, message) => {
    expect(() => decodeNewcomers(body)).toThrow(message);
    expect(() => decodeNewcomers(body)).toThrow(expect.objectContaining({ code: "DECODE" }));
  });
});
