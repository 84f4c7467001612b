/**
 * What the explorer is sent into: small clusters, each gone through to the end. The quick ones are part of the tests, all of them are
 * `npm run explore`.
 *
 * @typedef {import("../../lib/testing/explorer.js").Scope} Scope
 * @typedef {{ name: string, what: string, quick: boolean, partly?: boolean, scope: Scope }} Named  `partly`: too large
 * to be gone through to the end.
 */

/** @type {Scope} */
export const three = {
  voters: [1, 2, 3],
  others: [],
  depthMax: 1_000,
  statesMax: 40_000_000,
  timeouts: 0,
  crashes: 0,
  proposals: 0,
  duplicates: 0,
  changes: [],
};

/** @param {"ConfChangeAddNode" | "ConfChangeRemoveNode"} type @param {number} nodeId @returns {Scope["changes"][number]} */
const change = (type, nodeId) => ({
  transition: "auto",
  changes: [{ type, nodeId }],
  context: new Uint8Array(0),
  unknown: undefined,
});
/** Any of the three is removed. */
export const removals = three.voters.map((id) => change("ConfChangeRemoveNode", id));

/** @type {Named[]} */
export const scopes = [
  {
    name: "elections",
    what: "two elections, a crash and a repeated message",
    quick: true,
    scope: { ...three, timeouts: 2, crashes: 1, duplicates: 1 },
  },
  {
    name: "command",
    what: "two elections, a command and a crash",
    quick: true,
    scope: { ...three, timeouts: 2, proposals: 1, crashes: 1 },
  },
  {
    name: "change",
    what: "two elections and the removal of one of the three",
    quick: true,
    scope: { ...three, timeouts: 2, changes: removals, changesMax: 1 },
  },
  {
    name: "growth",
    what: "three elections, and two of: a third node is added, one of the two is removed",
    quick: false,
    scope: {
      ...three,
      voters: [1, 2],
      others: [3],
      timeouts: 3,
      changes: [
        change("ConfChangeAddNode", 3),
        change("ConfChangeRemoveNode", 1),
        change("ConfChangeRemoveNode", 2),
      ],
      changesMax: 2,
    },
  },
  {
    name: "change-and-crash",
    what: "an election, a removal, a crash and a repeated message",
    quick: false,
    scope: {
      ...three,
      timeouts: 1,
      crashes: 1,
      duplicates: 1,
      changes: removals,
      changesMax: 1,
    },
  },
  {
    name: "four-elections",
    what: "four elections and a crash",
    quick: false,
    scope: { ...three, timeouts: 4, crashes: 1 },
  },
  {
    name: "three-terms",
    what: "three elections, a command and a crash",
    quick: false,
    scope: { ...three, timeouts: 3, proposals: 1, crashes: 1 },
  },
  {
    // The bug of the first published algorithm: leaders of two terms, each with a change that the other does not know. It shows from the third
    // election on, once two voters are removed.
    name: "single-server-changes",
    what: "three elections and the removal of two of the three, one at a time",
    quick: false,
    scope: { ...three, timeouts: 3, changes: removals, changesMax: 2 },
  },
  {
    name: "everything",
    what: "the first five million states with one or two of each: elections, a command, a removal, a crash, a repeated message, heartbeats",
    quick: false,
    partly: true,
    scope: {
      ...three,
      timeouts: 2,
      crashes: 1,
      proposals: 1,
      duplicates: 1,
      beats: 1,
      changes: removals,
      changesMax: 1,
      statesMax: 5_000_000,
    },
  },
];
