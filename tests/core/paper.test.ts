/**
 * The claims of the Raft paper, one test each, in its order ("In Search of an Understandable Consensus Algorithm", extended
 * version, §5.1–§5.4; the dissertation has the same in §3.3–§3.6).
 *
 * Nodes speak through `step`, `tick`, `ready` and `persisted` alone; PreVote and CheckQuorum, which the paper does not have, are off.
 */
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../lib/base/random.js";
import type { Message, NodeId, Role, Term } from "../../lib/core/types.js";
import { entry, message } from "../codec/records.js";
import {
  bytes,
  entriesOf,
  type LogShape,
  Member,
  Network,
  type Start,
  textOf,
  votersOnly,
} from "./network.js";

const electionTicks = 10;

/** Node 1 of `size` voters; the others are played by the test. */
function one(start: Partial<Start> = {}, size = 3): Member {
  const ids = Array.from({ length: size }, (_, i) => i + 1);
  return new Member(1, { confState: votersOnly(...ids), ...start });
}

function hear(member: Member, heard: Message): Message[] {
  member.node.step(heard);
  return member.take();
}

function campaign(member: Member): Message[] {
  member.node.campaign();
  return member.take();
}

/** Campaigns and wins with everybody's vote; answers the leader's first messages. */
function win(member: Member, size = 3): Message[] {
  campaign(member);
  const sent: Message[] = [];
  for (let from = 2; from <= size; from++) sent.push(...hear(member, grant(member, from)));
  expect(member.role).toBe("leader");
  return sent;
}

function grant(member: Member, from: NodeId, reject = false): Message {
  return message({ type: "MsgVoteResp", from, to: 1, term: member.term, reject });
}

function acknowledge(append: Message): Message {
  return message({
    type: "MsgAppResp",
    from: append.to,
    to: append.from,
    term: append.term,
    index: append.index + append.entries.length,
  });
}

/** Everybody takes what `sent` brings, and what follows on it. */
function acknowledgeAll(member: Member, sent: readonly Message[]): void {
  let appends = sent.filter(({ entries }) => entries.length > 0);
  while (appends.length > 0) {
    const followed = appends.flatMap((append) => hear(member, acknowledge(append)));
    appends = followed.filter(({ entries }) => entries.length > 0);
  }
}

function inRole(role: Role): Member {
  const member = one({ hardState: { term: 1 } });
  if (role === "candidate") campaign(member);
  if (role === "leader") win(member);
  expect(member.role).toBe(role);
  return member;
}

const from = (messages: readonly Message[], ...types: Message["type"][]): Message[] =>
  messages.filter(({ type }) => types.includes(type));

describe("§5.1 terms", () => {
  test.each<Role>(["follower", "candidate", "leader"])(
    "§5.1 a %s that hears a newer term takes it over and follows",
    (role) => {
      const member = inRole(role);
      const term = member.term + 1;
      hear(member, message({ type: "MsgApp", from: 2, to: 1, term }));
      expect(member.term).toBe(term);
      expect(member.role).toBe("follower");
    },
  );

  test("§5.1 what speaks of an older term is refused", () => {
    const member = one({ hardState: { term: 2 } });
    const stale = { from: 2, to: 1, term: 1 };
    const answers = [
      ...hear(member, message({ type: "MsgApp", ...stale, entries: entriesOf([1]), commit: 1 })),
      ...hear(member, message({ type: "MsgVote", ...stale, index: 9, logTerm: 1 })),
    ];
    expect(answers.filter(({ reject }) => !reject)).toEqual([]);
    expect(member.log).toEqual([]);
    expect(member.commit).toBe(0);
    expect(member.leader).toBe(0);
    expect(member.disk.hardState).toMatchObject({ term: 2, vote: 0 });
  });
});

describe("§5.2 leader election", () => {
  test("§5.2 a server begins as a follower", () => {
    expect(one().role).toBe("follower");
    expect(one({ hardState: { term: 7 }, log: [1, 7] }).role).toBe("follower");
  });

  test("§5.2 a leader sends heartbeats to all, each heartbeat interval", () => {
    const heartbeatTicks = 3;
    const member = one({ config: { heartbeatTicks } });
    acknowledgeAll(member, win(member));
    for (let round = 0; round < 4; round++) {
      for (let tick = 1; tick < heartbeatTicks; tick++) {
        member.node.tick();
        expect(member.take()).toEqual([]);
      }
      member.node.tick();
      const beats = member.take();
      expect(beats.map(({ type, to, term }) => ({ type, to, term }))).toEqual([
        { type: "MsgHeartbeat", to: 2, term: 1 },
        { type: "MsgHeartbeat", to: 3, term: 1 },
      ]);
    }
  });

  test.each<Role>(["follower", "candidate"])(
    "§5.2 a %s that hears from nobody for an election timeout starts an election",
    (role) => {
      const member = inRole(role);
      const before = member.term;
      let requests: Message[] = [];
      for (let tick = 1; tick < 2 * electionTicks && requests.length === 0; tick++) {
        member.node.tick();
        requests = member.take();
      }
      expect(member.role).toBe("candidate");
      expect(member.term).toBe(before + 1);
      // It votes for itself, durably, and asks everybody else.
      expect(member.disk.hardState).toMatchObject({ term: before + 1, vote: 1 });
      expect(requests.map(({ type, to, term }) => ({ type, to, term }))).toEqual([
        { type: "MsgVote", to: 2, term: before + 1 },
        { type: "MsgVote", to: 3, term: before + 1 },
      ]);
    },
  );

  const rounds: [size: number, granted: number[], refused: number[], Role][] = [
    [1, [], [], "leader"],
    [3, [2, 3], [], "leader"],
    [3, [2], [], "leader"],
    [3, [2], [3], "leader"],
    [5, [2, 3, 4, 5], [], "leader"],
    [5, [2, 3, 4], [], "leader"],
    [5, [2, 3], [], "leader"],
    [5, [3, 5], [2, 4], "leader"],
    [3, [], [2, 3], "follower"],
    [5, [], [2, 3, 4, 5], "follower"],
    [5, [2], [3, 4, 5], "follower"],
    [5, [], [3, 4, 5], "follower"],
    [3, [], [], "candidate"],
    [3, [], [2], "candidate"],
    [5, [2], [], "candidate"],
    [5, [], [2, 3], "candidate"],
    [5, [2], [3, 4], "candidate"],
    [5, [], [], "candidate"],
  ];
  test.each(rounds)(
    "§5.2 of %d servers, granted by %j and refused by %j: a %s",
    (size, granted, refused, role) => {
      const member = one({}, size);
      campaign(member);
      for (const id of granted) hear(member, grant(member, id));
      for (const id of refused) hear(member, grant(member, id, true));
      expect(member.role).toBe(role);
      expect(member.term).toBe(1);
    },
  );

  const votes: [vote: NodeId, candidate: NodeId, reject: boolean][] = [
    [0, 2, false],
    [0, 3, false],
    [2, 2, false],
    [3, 3, false],
    [2, 3, true],
    [3, 2, true],
  ];
  test.each(votes)(
    "§5.2 one vote per term, first come: having voted for %d, %d is refused: %s",
    (vote, candidate, reject) => {
      const member = one({ hardState: { term: 1, vote } });
      const request = message({ type: "MsgVote", from: candidate, to: 1, term: 1 });
      expect(hear(member, request)).toMatchObject([
        { type: "MsgVoteResp", to: candidate, term: 1, reject },
      ]);
      expect(member.disk.hardState.vote).toBe(vote === 0 ? candidate : vote);
    },
  );

  test("§5.2 a vote holds over a crash", () => {
    const member = one();
    hear(member, message({ type: "MsgVote", from: 2, to: 1, term: 1 }));
    member.restart();
    const request = message({ type: "MsgVote", from: 3, to: 1, term: 1 });
    expect(hear(member, request)).toMatchObject([{ type: "MsgVoteResp", reject: true }]);
  });

  test.each([1, 2])("§5.2 a candidate that hears a leader of term %d gives way", (term) => {
    const member = one();
    campaign(member);
    expect(member.term).toBe(1);
    hear(member, message({ type: "MsgApp", from: 2, to: 1, term }));
    expect(member).toMatchObject({ role: "follower", leader: 2, term });
  });

  test.each<Role>(["follower", "candidate"])("§5.2 the timeouts of a %s are spread", (role) => {
    const member = one();
    const seen = new Set<number>();
    for (let round = 0; round < 50 * electionTicks; round++) {
      if (role === "follower") {
        hear(member, message({ type: "MsgApp", from: 2, to: 1, term: member.term + 1 }));
      } else if (member.role !== "candidate") campaign(member);
      const { term } = member;
      let ticks = 0;
      while (member.term === term) {
        member.node.tick();
        member.take();
        ticks++;
      }
      seen.add(ticks);
    }
    const all = Array.from({ length: electionTicks }, (_, i) => electionTicks + i);
    expect([...seen].sort((a, b) => a - b)).toEqual(all);
  });

  test.each<Role>(["follower", "candidate"])(
    "§5.2 in most cases a single %s of five times out first",
    (role) => {
      let conflicts = 0;
      const rounds = 200;
      for (let round = 0; round < rounds; round++) {
        const timeouts = [1, 2, 3, 4, 5].map((id) => {
          const random = seededRandom(round * 5 + id);
          const member = new Member(id, {
            confState: votersOnly(1, 2, 3, 4, 5),
            config: { random },
          });
          if (role === "candidate") campaign(member);
          const { term } = member;
          let ticks = 0;
          for (; member.term === term; ticks++) {
            member.node.tick();
            member.take();
          }
          return ticks;
        });
        const first = Math.min(...timeouts);
        if (timeouts.filter((ticks) => ticks === first).length > 1) conflicts++;
      }
      expect(conflicts / rounds).toBeLessThan(0.3);
    },
  );
});

describe("§5.3 log replication", () => {
  test("§5.3 a leader appends a command and sends it to all at once", () => {
    const member = one();
    acknowledgeAll(member, win(member));
    const at = member.commit;
    member.node.propose(bytes("x"));
    const added = entry({ index: at + 1, term: 1, data: bytes("x") });
    const append = { type: "MsgApp", index: at, logTerm: 1, term: 1, commit: at, entries: [added] };
    expect(member.take()).toMatchObject([
      { ...append, to: 2 },
      { ...append, to: 3 },
    ]);
    expect(member.log.at(-1)).toEqual([at + 1, 1]);
    expect(member.commit).toBe(at);
  });

  test("§5.3 (§10.2.1 of the dissertation) it sends it before its own disk has it", () => {
    const member = one();
    acknowledgeAll(member, win(member));
    member.diskStalls = true;
    member.node.propose(bytes("x"));
    expect(from(member.take(), "MsgApp")).toHaveLength(2);
  });

  test("§5.3 once a majority has it, the command is committed, applied and announced", () => {
    const member = one();
    acknowledgeAll(member, win(member));
    const at = member.commit;
    member.node.propose(bytes("x"));
    const [append] = from(member.take(), "MsgApp");
    const next = hear(member, acknowledge(append as Message));
    expect(member.commit).toBe(at + 1);
    expect(member.applied.map(({ data }) => textOf(data)).at(-1)).toBe("x");
    expect(next).toMatchObject([
      { type: "MsgApp", to: 2, commit: at + 1 },
      { type: "MsgApp", to: 3, commit: at + 1 },
    ]);
  });

  const acknowledged: [size: number, by: number[], boolean][] = [
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [3, [2, 3], true],
    [5, [], false],
    [5, [2], false],
    [5, [2, 3], true],
    [5, [2, 3, 4], true],
    [5, [2, 3, 4, 5], true],
    [4, [2], false],
    [4, [2, 3], true],
  ];
  test.each(acknowledged)(
    "§5.3 of %d servers, acknowledged by %j beside the leader: committed is %s",
    (size, by, committed) => {
      const member = one({}, size);
      acknowledgeAll(member, win(member, size));
      const at = member.commit;
      member.node.propose(bytes("x"));
      for (const append of from(member.take(), "MsgApp")) {
        if (by.includes(append.to)) hear(member, acknowledge(append));
      }
      expect(member.commit > at).toBe(committed);
    },
  );

  test("§5.3 an acknowledgement counts once per server", () => {
    const member = one({}, 5);
    acknowledgeAll(member, win(member, 5));
    const at = member.commit;
    member.node.propose(bytes("x"));
    const [append] = from(member.take(), "MsgApp");
    for (let i = 0; i < 3; i++) hear(member, acknowledge(append as Message));
    expect(member.commit).toBe(at);
  });

  test("§5.3 the leader's own disk counts like any other's", () => {
    const member = one({}, 3);
    acknowledgeAll(member, win(member));
    const at = member.commit;
    member.diskStalls = true;
    member.node.propose(bytes("x"));
    const [second, third] = from(member.take(), "MsgApp");
    hear(member, acknowledge(second as Message));
    expect(member.commit).toBe(at);
    hear(member, acknowledge(third as Message));
    expect(member.commit).toBe(at + 1);
  });

  test.each<[string, Term[]]>([
    ["nothing", []],
    ["an entry of the previous leader", [2]],
    ["entries of two leaders", [1, 2]],
    ["an entry of the leader before", [1]],
  ])("§5.3 committing an entry commits what precedes it: %s", (_, log) => {
    const member = one({ hardState: { term: 2 }, log });
    acknowledgeAll(member, win(member));
    member.node.propose(bytes("x"));
    acknowledgeAll(member, member.take());
    const all = [...log, 3, 3];
    expect(member.applied.map(({ index, term }) => [index, term])).toEqual(
      all.map((term, i) => [i + 1, term]),
    );
  });

  const followed: [entries: string[], commit: number][] = [
    [["a"], 1],
    [["a", "b"], 2],
    [["a", "b"], 1],
    [["a", "b", "c"], 9],
  ];
  test.each(followed)(
    "§5.3 a follower that got %j applies, in order, up to the leader's commit %d",
    (texts, commit) => {
      const member = one({ hardState: { term: 1 } });
      const entries = texts.map((data, i) => entry({ term: 1, index: i + 1, data: bytes(data) }));
      hear(member, message({ type: "MsgApp", from: 2, to: 1, term: 1, entries, commit }));
      const applied = member.applied.map(({ data }) => textOf(data));
      expect(applied).toEqual(texts.slice(0, commit));
      expect(member.commit).toBe(Math.min(commit, texts.length));
    },
  );

  const checks: [
    prevIndex: number,
    prevTerm: Term,
    answer: { index: number; reject: boolean; rejectHint?: number; logTerm?: Term },
  ][] = [
    // The follower holds 1/1 (committed) and 2/2.
    [0, 0, { index: 1, reject: false }],
    [1, 1, { index: 1, reject: false }],
    [2, 2, { index: 2, reject: false }],
    // Where the logs do not meet it says where they may.
    [2, 1, { index: 2, reject: true, rejectHint: 1, logTerm: 1 }],
    [3, 3, { index: 3, reject: true, rejectHint: 2, logTerm: 2 }],
  ];
  test.each(checks)("§5.3 consistency check at index %d, term %d: %j", (index, logTerm, answer) => {
    const member = one({ hardState: { term: 2, commit: 1 }, log: [1, 2] });
    const append = message({ type: "MsgApp", from: 2, to: 1, term: 3, index, logTerm });
    expect(hear(member, append)).toMatchObject([{ type: "MsgAppResp", to: 2, ...answer }]);
    expect(member.log).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  const conflicts: [held: Term[], prevIndex: number, sent: Term[], becomes: Term[]][] = [
    [[1, 2], 2, [3], [1, 2, 3]],
    [[1, 2], 1, [3, 4], [1, 3, 4]],
    [[1, 2], 0, [1], [1, 2]],
    [[1, 2], 0, [3], [3]],
    [[1, 2, 2, 2], 1, [3], [1, 3]],
    // What agrees stays, also beyond a message that came late.
    [[1, 2, 3], 0, [1, 2], [1, 2, 3]],
    [[1, 2, 3], 1, [], [1, 2, 3]],
  ];
  test.each(conflicts)(
    "§5.3 a follower holding terms %j, sent after index %d terms %j, holds %j",
    (held, prevIndex, sent, becomes) => {
      const member = one({ hardState: { term: 4 }, log: held });
      hear(
        member,
        message({
          type: "MsgApp",
          from: 2,
          to: 1,
          term: 4,
          index: prevIndex,
          logTerm: held[prevIndex - 1] ?? 0,
          entries: entriesOf(sent, prevIndex + 1),
        }),
      );
      expect(member.log).toEqual(becomes.map((term, i) => [i + 1, term]));
    },
  );

  const figure7: [string, Term[]][] = [
    ["(a) misses one", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ["(b) misses many", [1, 1, 1, 4]],
    ["(c) has one more", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ["(d) has more, of a later term", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ["(e) misses some and has others", [1, 1, 1, 4, 4, 4, 4]],
    ["(f) followed leaders nobody else knows", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ];
  test.each(figure7)("§5.3 figure 7 %s: the leader brings its log to equal its own", (_, log) => {
    const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const confState = votersOnly(1, 2, 3);
    const network = new Network([
      new Member(1, { confState, hardState: { term: 7 }, log: leaderLog }),
      new Member(2, { confState, hardState: { term: 7 }, log }),
      // Its vote is enough, since (d) does not vote for this leader.
      new Member(3, { confState, hardState: { term: 7 } }),
    ]);
    network.campaign(1);
    expect(network.leaders()).toEqual([1]);
    network.propose(1, "x");
    const expected = [...leaderLog, 8, 8].map((term, i) => [i + 1, term]);
    expect(network.member(1).log).toEqual(expected);
    expect(network.member(2).log).toEqual(expected);
    expect(network.member(2).applied).toEqual(network.member(1).applied);
  });

  test("§5.3 figure 7: one probe per term that differs, not one per entry", () => {
    const confState = votersOnly(1, 2, 3);
    const long = [...Array<Term>(1000).fill(1), ...Array<Term>(1000).fill(4)];
    const other = [...Array<Term>(1000).fill(1), ...Array<Term>(1000).fill(2)];
    const network = new Network([
      new Member(1, { confState, hardState: { term: 4 }, log: long }),
      new Member(2, { confState, hardState: { term: 4 }, log: other }),
      new Member(3, { confState, hardState: { term: 4 }, log: long }),
    ]);
    network.campaign(1);
    const refusals = network.delivered.filter(
      ({ type, from, reject }) => type === "MsgAppResp" && from === 2 && reject,
    );
    expect(refusals.length).toBeLessThanOrEqual(2);
    expect(network.member(2).log).toEqual(network.member(1).log);
  });
});

describe("§5.4.1 election restriction", () => {
  test.each<[Term[]]>([[[]], [[1]], [[1, 2]], [[2, 2, 5]]])(
    "§5.4.1 a request for a vote speaks of the candidate's log: terms %j",
    (log) => {
      const member = one({ hardState: { term: 5 }, log });
      const last = { index: log.length, logTerm: log.at(-1) ?? 0 };
      expect(campaign(member)).toMatchObject([
        { type: "MsgVote", to: 2, term: 6, ...last },
        { type: "MsgVote", to: 3, term: 6, ...last },
      ]);
    },
  );

  const upToDate: [voter: Term[], lastTerm: Term, lastIndex: number, reject: boolean][] = [
    // Same last term: the longer log is more up to date.
    [[1], 1, 1, false],
    [[1], 1, 2, false],
    [[1, 1], 1, 1, true],
    // The later last term is more up to date, whatever the length.
    [[1], 2, 1, false],
    [[1], 2, 2, false],
    [[1, 1], 2, 1, false],
    [[2], 1, 1, true],
    [[2], 1, 2, true],
    [[2, 2], 1, 1, true],
    [[1, 2], 1, 9, true],
    [[], 0, 0, false],
  ];
  test.each(upToDate)(
    "§5.4.1 a voter with terms %j, asked by a log that ends with term %d at index %d, refuses: %s",
    (log, logTerm, index, reject) => {
      const member = one({ hardState: { term: 2 }, log });
      const request = message({ type: "MsgVote", from: 2, to: 1, term: 3, logTerm, index });
      expect(hear(member, request)).toMatchObject([{ type: "MsgVoteResp", term: 3, reject }]);
      expect(member.disk.hardState).toMatchObject({ term: 3, vote: reject ? 0 : 2 });
    },
  );
});

describe("§5.4.2 committing entries from previous terms", () => {
  test.each([
    [1, 0],
    [2, 0],
    [3, 3],
  ])(
    "§5.4.2 of terms 1, 2 and the leader's 3, a majority holds up to index %d: committed is %d",
    (acknowledged, committed) => {
      const member = one({ hardState: { term: 2 }, log: [1, 2] });
      win(member);
      hear(member, message({ type: "MsgAppResp", from: 2, to: 1, term: 3, index: acknowledged }));
      expect(member.commit).toBe(committed);
    },
  );

  /**
   * Figure 8: S1 leads term 2 and reaches S2 alone; S5 leads term 3 and reaches nobody; S1 leads term 4 and brings its old
   * entry to S3, so that a majority holds it.
   *
   * ```
   *        (a)     (b)     (c)
   *  S1    1 2     1 2     1 2 4
   *  S2    1 2     1 2     1 2
   *  S3    1       1       1 2
   *  S4    1       1       1
   *  S5    1       1 3     1 3
   * ```
   */
  function figure8(reachedInTerm4: (append: Message, network: Network) => boolean): Network {
    const confState = votersOnly(1, 2, 3, 4, 5);
    const start: Start = {
      confState,
      hardState: { term: 1, commit: 1 },
      log: [1],
      // One entry per message, so that the old entry can arrive without the new one.
      config: { appendBytesMax: 0 },
    };
    const network = new Network([1, 2, 3, 4, 5].map((id) => new Member(id, start)));
    const only = (...ids: NodeId[]): (() => void) =>
      network.lose((m) => m.type === "MsgApp" && !ids.includes(m.to));

    let heal = only(2); // (a)
    network.campaign(1);
    expect(network.member(1).log).toEqual(shape([1, 2]));
    expect(network.member(2).log).toEqual(shape([1, 2]));
    heal();

    network.member(1).restart(); // (b)
    const down = network.isolate(1, 2);
    heal = only();
    network.campaign(5);
    expect(network.leaders()).toEqual([5]);
    expect(network.member(5).log).toEqual(shape([1, 3]));
    heal();
    down();

    network.member(5).restart(); // (c)
    const gone = network.isolate(5);
    heal = network.lose((m) => m.type === "MsgApp" && !reachedInTerm4(m, network));
    network.campaign(1); // It has not heard of term 3, and is told.
    network.campaign(1);
    expect(network.leaders()).toEqual([1]);
    expect(network.member(1).log).toEqual(shape([1, 2, 4]));
    heal();
    gone();
    return network;
  }

  const shape = (terms: readonly Term[]): LogShape => terms.map((term, i) => [i + 1, term]);

  test("§5.4.2 figure 8 (d): an old entry that a majority holds is not committed, and may be overwritten", () => {
    // S3 refuses the new entry, is sent the old one, and then nothing that it could take in.
    const network = figure8(({ to }, { members }) => to === 3 && members.get(3)?.log.length === 1);
    for (const id of [1, 2, 3]) {
      expect(network.member(id).log.slice(0, 2)).toEqual(shape([1, 2]));
      expect(network.member(id).commit).toBe(1);
    }
    expect(network.member(3).log).toEqual(shape([1, 2]));
    network.member(1).restart();
    const down = network.isolate(1);
    network.campaign(5); // Term 4 is over: it learns so first.
    network.campaign(5);
    expect(network.leaders()).toEqual([5]);
    down();
    network.tick();
    for (const member of network.members.values()) {
      expect(member.log.slice(0, 2)).toEqual(shape([1, 3]));
      expect(member.applied.map(({ term }) => term)).not.toContain(2);
    }
  });

  test("§5.4.2 figure 8 (e): with an entry of the leader's own term the old one is committed for good", () => {
    const network = figure8(({ to }) => to === 2 || to === 3);
    expect(network.member(1).commit).toBe(3);
    network.member(1).restart();
    network.isolate(1);
    network.campaign(5);
    network.campaign(5);
    expect(network.leaders()).toEqual([]);
    network.campaign(2);
    network.campaign(2);
    expect(network.leaders()).toEqual([2]);
    for (const id of [2, 3, 4, 5]) {
      expect(network.member(id).log.slice(0, 3)).toEqual(shape([1, 2, 4]));
    }
  });
});
