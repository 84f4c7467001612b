import { describe, expect, test } from "vitest";
import { hex } from "../../lib/base/bytes.js";
import { DecodeError, InvariantError } from "../../lib/base/errors.js";
import {
  decodeMessage,
  decodeMessages,
  encodeMessage,
  encodeMessages,
} from "../../lib/codec/raftpb.js";
import {
  confStateIdsMax,
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeSnapshot,
  decodeSnapshotMetadata,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeSnapshot,
  encodeSnapshotMetadata,
} from "../../lib/codec/raftpb-log.js";
import {
  changesMax,
  decodeConfChangeV1,
  decodeConfChangeV2,
  encodeConfChangeV1,
  encodeConfChangeV2,
} from "../../lib/core/confchange-codec.js";
import type { ConfChangeSingle, MessageType } from "../../lib/core/types.js";
import { bytesOf, confState, entry, message, snapshot, text } from "./records.js";

/** Bytes that protoc makes of etcd's and raft-rs's schemas (reference raftpb.md §7), in both directions unless said. */
const vote = message({ type: "MsgVote", to: 2, from: 1, term: 5, logTerm: 4, index: 10 });
const commitVote = { ...vote, commit: 9, commitTerm: 4 };
const explicit = {
  transition: "jointExplicit",
  changes: [
    { type: "ConfChangeAddNode", nodeId: 4 },
    { type: "ConfChangeRemoveNode", nodeId: 1 },
  ],
  context: text("x"),
  unknown: undefined,
} as const;
const learner = {
  id: 0,
  type: "ConfChangeAddLearnerNode",
  nodeId: 4,
  context: text(""),
  unknown: undefined,
} as const;
const four = confState({ voters: [1, 2, 300], learners: [4] });
const hi = entry({ term: 2, index: 3, data: text("hi") });
const body = snapshot({ index: 7, term: 2, confState: confState({ voters: [1, 2] }) }, text("s"));

describe("golden bytes that are read and written alike", () => {
  const rows: [string, string, (bytes: Uint8Array) => unknown, unknown, () => Uint8Array][] = [
    [
      "MsgVote, etcd 3.7",
      "08051002180120052804300a",
      decodeMessage,
      vote,
      () => encodeMessage(vote),
    ],
    [
      "MsgVote, etcd 3.6",
      "08051002180120052804300a4000500058006800",
      decodeMessage,
      vote,
      () => encodeMessage(vote, "written"),
    ],
    [
      "MsgRequestVote of priority −1, raft-rs",
      "08051002180120052804300a8001ffffffffffffffffff01",
      decodeMessage,
      { ...vote, priority: -1 },
      () => encodeMessage({ ...vote, priority: -1 }),
    ],
    [
      "link heartbeat, 3.7",
      "0808",
      decodeMessage,
      message({ type: "MsgHeartbeat" }),
      () => encodeMessage(message({ type: "MsgHeartbeat" })),
    ],
    [
      "link heartbeat, 3.6",
      "0808100018002000280030004000500058006800",
      decodeMessage,
      message({ type: "MsgHeartbeat" }),
      () => encodeMessage(message({ type: "MsgHeartbeat" }), "written"),
    ],
    [
      "ConfChange, add learner 4",
      "10031804",
      decodeConfChangeV1,
      learner,
      () => encodeConfChangeV1(learner),
    ],
    [
      "ConfChange, add learner 4, 3.6",
      "080010031804",
      decodeConfChangeV1,
      learner,
      () => encodeConfChangeV1(learner, "written"),
    ],
    [
      "ConfChangeV2, explicit",
      "08021204080010041204080110011a0178",
      decodeConfChangeV2,
      explicit,
      () => encodeConfChangeV2(explicit),
    ],
    [
      "ConfState, unpacked",
      "0801080208ac0210042800",
      decodeConfState,
      four,
      () => encodeConfState(four),
    ],
    ["Entry, 3.6", "08001002180322026869", decodeEntry, hi, () => encodeEntry(hi, "written")],
    ["Entry, 3.7", "1002180322026869", decodeEntry, hi, () => encodeEntry(hi)],
    [
      "Entry of raft-rs with context and sync_log",
      "100218032202686928013203637478",
      decodeEntry,
      { ...hi, unknown: bytesOf("28013203637478") },
      () => encodeEntry({ ...hi, unknown: bytesOf("28013203637478") }),
    ],
    [
      "HardState, etcd",
      "080110001800",
      decodeHardState,
      { term: 1, vote: 0, commit: 0 },
      () => encodeHardState({ term: 1, vote: 0, commit: 0 }),
    ],
    [
      "Snapshot",
      "0a0173120c0a0608010802280010071802",
      decodeSnapshot,
      body,
      () => encodeSnapshot(body),
    ],
  ];
  test.each(rows)("%s", (_, bytes, decode, record, encode) => {
    expect(decode(bytesOf(bytes))).toEqual(record);
    expect(hex(encode())).toBe(bytes);
  });
});

describe("golden bytes that are only read", () => {
  const rows: [string, string, (bytes: Uint8Array) => unknown, unknown][] = [
    [
      "MsgRequestVote with both priority fields, raft-rs",
      "08051002180120052804300a400970037804800103",
      decodeMessage,
      { ...commitVote, priority: 3 },
    ],
    [
      "MsgRequestVote with the older priority field alone",
      "08051002180120052804300a400970037804",
      decodeMessage,
      { ...commitVote, priority: 3 },
    ],
    [
      "MsgAppendResponse that asks for a snapshot, raft-rs",
      "08041001180220052804300940095001580b680b",
      decodeMessage,
      message({
        type: "MsgAppResp",
        to: 1,
        from: 2,
        term: 5,
        logTerm: 4,
        index: 9,
        commit: 9,
        reject: true,
        rejectHint: 11,
        requestSnapshot: 11,
      }),
    ],
    ["ConfState, packed", "0a040102ac02120104", decodeConfState, four],
    ["HardState, raft-rs", "0801", decodeHardState, { term: 1, vote: 0, commit: 0 }],
  ];
  test.each(rows)("%s", (_, bytes, decode, record) => {
    expect(decode(bytesOf(bytes))).toEqual(record);
  });

  test("what is written for both priority fields is field 16 alone", () => {
    expect(hex(encodeMessage({ ...commitVote, priority: 3 }))).toBe(
      "08051002180120052804300a40097804800103",
    );
  });

  test("a request for a snapshot is written in field 13", () => {
    const request = message({ type: "MsgAppResp", reject: true, requestSnapshot: 11 });
    expect(hex(encodeMessage(request))).toBe("08045001680b");
  });
});

describe("what must not come from the network", () => {
  const local = [0, 1, 10, 11, 12, 19, 20, 21, 22, 23];
  test.each(local)("message type %d is refused", (type) => {
    expect(() => decodeMessage(Uint8Array.of(0x08, type, 0x10, 2))).toThrow(/does not travel/);
  });

  const remote = [2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18];
  test.each(remote)("message type %d is read", (type) => {
    const read = decodeMessage(Uint8Array.of(0x08, type));
    expect(encodeMessage(read)).toEqual(Uint8Array.of(0x08, type));
  });

  const bytes: [string, string, RegExp][] = [
    ["a message without a type, which is MsgHup", "1002", /Message.type 0/],
    ["no bytes at all", "", /Message.type 0/],
    ["an unknown type", "0818", /Message.type 24/],
    ["a negative type", "08ffffffffffffffffff01", /beyond/],
    ["to: etcd's append thread", "080310ffffffffffffffffff01", /beyond/],
    ["from: etcd's apply thread", "080318feffffffffffffffff01", /beyond/],
    ["a term of 2^53", "0803208080808080808010", /beyond/],
    [
      "MsgStorageAppend with a response",
      "081310ffffffffffffffffff011801200540076801720a08041002180120053008",
      /beyond/,
    ],
    ["responses in an ordinary message", "0803 7202 0804", /local/],
    ["an entry of unknown type", "0803 3a02 0803", /Entry.type 3/],
    ["an entry that ends inside a number", "0803 3a02 1080", /cut short/],
  ];
  test.each(bytes)("%s is refused", (_, encoded, why) => {
    const read = () => decodeMessage(bytesOf(encoded));
    expect(read).toThrow(DecodeError);
    expect(read).toThrow(why);
  });

  test("changes of unknown kind are refused", () => {
    expect(() => decodeConfChangeV1(bytesOf("1004"))).toThrow(/ConfChangeType 4/);
    expect(() => decodeConfChangeV2(bytesOf("12020804"))).toThrow(/ConfChangeType 4/);
    expect(() => decodeConfChangeV2(bytesOf("0803"))).toThrow(/transition 3/);
  });
});

describe("what cannot be written", () => {
  const locals: MessageType[] = [
    "MsgHup",
    "MsgBeat",
    "MsgUnreachable",
    "MsgSnapStatus",
    "MsgCheckQuorum",
    "MsgStorageAppend",
    "MsgStorageAppendResp",
    "MsgStorageApply",
    "MsgStorageApplyResp",
    "MsgForgetLeader",
  ];
  test.each(locals)("%s", (type) => {
    expect(() => encodeMessage(message({ type }))).toThrow(/does not travel/);
  });

  test("local threads' ids, and numbers that are not safe integers", () => {
    expect(() => encodeMessage({ ...vote, to: -1 })).toThrow(InvariantError);
    expect(() => encodeMessage({ ...vote, from: -2 })).toThrow(InvariantError);
    expect(() => encodeMessage({ ...vote, term: 2 ** 53 })).toThrow(InvariantError);
    expect(() => encodeHardState({ term: 1, vote: -1, commit: 0 })).toThrow(InvariantError);
    expect(() => encodeConfState(confState({ voters: [-1] }))).toThrow(InvariantError);
    expect(() => encodeConfChangeV1({ ...learner, nodeId: -1 })).toThrow(InvariantError);
    expect(() => encodeEntry(entry({ index: 1.5 }))).toThrow(InvariantError);
  });
});

describe("fields that come absent, late, twice or in another shape", () => {
  test("of a number that comes twice the last counts", () => {
    expect(decodeMessage(bytesOf("0803 2001 2002")).term).toBe(2);
    expect(decodeEntry(bytesOf("1001 1000")).term).toBe(0);
  });

  test("field 13 is what the type makes of it, also when the type comes later", () => {
    expect(decodeMessage(bytesOf("680b 0804")).requestSnapshot).toBe(11);
    expect(decodeMessage(bytesOf("680b 0805")).requestSnapshot).toBe(0);
  });

  test("field 16 wins over field 14, unless it is zero", () => {
    expect(decodeMessage(bytesOf("0805 7003 800105")).priority).toBe(5);
    expect(decodeMessage(bytesOf("0805 800105 7003")).priority).toBe(5);
    expect(decodeMessage(bytesOf("0805 7003 800100")).priority).toBe(3);
  });

  test("ids may come packed and one by one in one list", () => {
    expect(decodeConfState(bytesOf("0801 0a020203 0804")).voters).toEqual([1, 2, 3, 4]);
  });

  test("an empty packed list is no ids", () => {
    expect(decodeConfState(bytesOf("0a00"))).toEqual(confState({}));
  });

  test("a joint ConfState is read and written", () => {
    const joint = confState({
      voters: [1, 2],
      learners: [3],
      votersOutgoing: [2, 4],
      learnersNext: [4],
      autoLeave: true,
    });
    expect(hex(encodeConfState(joint))).toBe("0801080210031802180420042801");
    expect(decodeConfState(encodeConfState(joint))).toEqual(joint);
  });

  test("a snapshot in two pieces is merged", () => {
    const pieces = "0807 4a030a0173 4a0412021007";
    const merged = decodeMessage(bytesOf(pieces)).snapshot;
    expect(merged?.data).toEqual(text("s"));
    expect(merged?.metadata.index).toBe(7);
  });

  test("a snapshot of index 0 is none, whatever the type (etcd up to 3.5 sends one with every message)", () => {
    for (const type of ["07", "03", "08"]) {
      expect(
        decodeMessage(bytesOf(`08${type} 4a0a 1208 0a020800 1000 1800`)).snapshot,
      ).toBeUndefined();
      expect(decodeMessage(bytesOf(`08${type} 4a00`)).snapshot).toBeUndefined();
    }
  });

  test("a wrong wire type makes a known field an unknown one", () => {
    expect(decodeMessage(bytesOf("0803 1501000000 3801 4801 5203 010203")).to).toBe(0);
    const odd = decodeEntry(bytesOf("2007 1002"));
    expect(odd).toEqual(entry({ term: 2, unknown: bytesOf("2007") }));
  });

  test("metadata alone", () => {
    const { metadata } = body;
    expect(hex(encodeSnapshotMetadata(metadata))).toBe("0a0608010802280010071802");
    expect(decodeSnapshotMetadata(bytesOf("1007 1802 0a0608010802 2800"))).toEqual(metadata);
    expect(hex(encodeSnapshotMetadata({ ...metadata, index: 0, term: 0 }, "written"))).toBe(
      "0a0608010802280010001800",
    );
  });

  test("the change that leaves a joint configuration is no bytes", () => {
    const leave = {
      transition: "auto",
      changes: [],
      context: text(""),
      unknown: undefined,
    } as const;
    expect(encodeConfChangeV2(leave)).toHaveLength(0);
    expect(hex(encodeConfChangeV2(leave, "written"))).toBe("0800");
    expect(decodeConfChangeV2(bytesOf(""))).toEqual(leave);
  });
});

describe("fields of a later schema", () => {
  // A number, eight bytes, a string, a group and four bytes, in fields nobody has defined.
  const later = "c03e05c93e0102030405060708ca3e0161cb3e0801cc3ecd3e01020304";
  const rows: [
    string,
    string,
    (bytes: Uint8Array) => { unknown: unknown },
    (record: never) => Uint8Array,
  ][] = [
    ["Entry", "1002", decodeEntry, encodeEntry],
    ["Snapshot", "12060a0228001007", decodeSnapshot, encodeSnapshot],
    ["ConfChange", "1003", decodeConfChangeV1, encodeConfChangeV1],
    ["ConfChangeV2", "0801", decodeConfChangeV2, encodeConfChangeV2],
  ];
  test.each(rows)("are kept in %s and written again", (_, known, decode, encode) => {
    const behind = decode(bytesOf(known + later));
    expect(behind.unknown).toEqual(bytesOf(later));
    expect(hex(encode(behind as never))).toBe(known + later);
    const around = decode(bytesOf(`c03e05${known}c03e06`));
    expect(around.unknown).toEqual(bytesOf("c03e05c03e06"));
  });

  test.each(rows)("are absent in %s without any", (_, known, decode) => {
    expect(decode(bytesOf(known)).unknown).toBeUndefined();
  });

  test("are passed over in messages, states and single changes", () => {
    expect(decodeMessage(bytesOf(`0803${later}2001`))).toEqual(
      message({ type: "MsgApp", term: 1 }),
    );
    expect(decodeHardState(bytesOf(`${later}0801`)).term).toBe(1);
    expect(decodeConfState(bytesOf(`${later}0801`)).voters).toEqual([1]);
    expect(decodeSnapshotMetadata(bytesOf(`${later}1001`)).index).toBe(1);
    const single: ConfChangeSingle = { type: "ConfChangeAddNode", nodeId: 7 };
    expect(decodeConfChangeV2(bytesOf("1205 c03e05 1007")).changes).toEqual([single]);
  });
});

describe("bounds", () => {
  test(`a list of more than ${confStateIdsMax} ids is refused, packed or not`, () => {
    const most = Array.from({ length: confStateIdsMax }, (_, i) => i + 1);
    const bytes = encodeConfState(confState({ voters: most }));
    expect(decodeConfState(bytes).voters).toHaveLength(confStateIdsMax);
    const one = confState({ voters: [...most, 1] });
    expect(() => decodeConfState(encodeConfState(one))).toThrow(/more than 4096 ids/);
    const packed = new Uint8Array(confStateIdsMax + 4).fill(1);
    packed.set(bytesOf("0a8120"));
    expect(() => decodeConfState(packed)).toThrow(/more than 4096 ids/);
  });

  test(`a change of more than ${changesMax} steps is refused`, () => {
    const steps = (count: number): Uint8Array => bytesOf("1200".repeat(count));
    expect(decodeConfChangeV2(steps(changesMax)).changes).toHaveLength(changesMax);
    expect(() => decodeConfChangeV2(steps(changesMax + 1))).toThrow(/more than 1024 changes/);
  });
});

describe("batches", () => {
  const batch = [
    vote,
    message({ type: "MsgApp", entries: [hi, entry({ term: 2, index: 4 })], context: text("c") }),
    message({ type: "MsgSnap", snapshot: body }),
  ];

  test("come back as they went", () => {
    expect(decodeMessages(encodeMessages(batch))).toEqual(batch);
  });

  test("are messages behind their lengths", () => {
    expect(hex(encodeMessages([vote, message({ type: "MsgHeartbeat" })]))).toBe(
      "0c08051002180120052804300a020808",
    );
  });

  test("of nothing are nothing", () => {
    expect(encodeMessages([])).toHaveLength(0);
    expect(decodeMessages(bytesOf(""))).toEqual([]);
  });

  test("with one bad message are refused whole", () => {
    expect(() => decodeMessages(bytesOf("020808 020800"))).toThrow(DecodeError);
    expect(() => decodeMessages(bytesOf("020808 00"))).toThrow(DecodeError);
    expect(() => decodeMessages(bytesOf("030808"))).toThrow(DecodeError);
  });
});
