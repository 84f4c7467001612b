/** The oracle of the killed writers: what was acknowledged, and what a later life found. */

/**
 * What one life said.
 * @typedef {object} Life
 * @property {{ boot: number, created: boolean, storeId: string, compacted: number, last: number } | undefined} opened
 * @property {Map<number, number>} has  index → round
 * @property {[index: number, round: number][]} acked
 * @property {boolean} ready
 * @property {string} errors
 */

/** @returns {Life} */
export function newLife() {
  return { opened: undefined, has: new Map(), acked: [], ready: false, errors: "" };
}

/** @param {Life} life @param {string} line */
export function hear(life, line) {
  const [kind, ...rest] = line.split(" ");
  const [a = 0, b = 0] = rest.map(Number);
  if (kind === "open") {
    life.opened = {
      boot: a,
      created: b === 1,
      storeId: rest[2] ?? "",
      compacted: Number(rest[3]),
      last: Number(rest[4]),
    };
  } else if (kind === "has") life.has.set(a, b);
  else if (kind === "ack" && rest.length === 2) life.acked.push([a, b]);
  else if (kind === "ready") life.ready = true;
  else if (kind === "error") life.errors += `${line}\n`;
}

export function createJudge() {
  const result = {
    cases: 0,
    acked: 0,
    lost: 0,
    silent: 0,
    wiped: 0,
    /** @type {string[]} */
    findings: [],
  };
  /** Index → round of every entry acknowledged and not compacted. @type {Map<number, number>} */
  let acknowledged = new Map();
  let boot = 0;
  let storeId = "";

  /** @param {number} round @param {Life} life */
  function judge(round, life) {
    /** @param {"lost" | "silent"} kind @param {string} what */
    const found = (kind, what) => {
      result[kind]++;
      if (result.findings.length < 20) result.findings.push(`round ${round}: ${kind}: ${what}`);
    };
    result.cases++;
    if (life.errors !== "") found("silent", life.errors);
    if (life.opened === undefined) {
      found("lost", "the store did not open");
      return;
    }
    const { opened, has } = life;
    if (storeId !== "" && opened.storeId !== storeId) {
      // Everything is gone, and nobody can take it for the old one.
      if (!opened.created || opened.last !== 0) found("silent", "another identity, and entries");
      result.wiped++;
      acknowledged = new Map();
      boot = 0;
    }
    storeId = opened.storeId;
    if (opened.boot <= boot) found("silent", `boot ${opened.boot} after ${boot}`);
    boot = opened.boot;
    if (life.ready) {
      for (let index = opened.compacted + 1; index <= opened.last; index++) {
        const by = has.get(index);
        if (by === undefined) found("silent", `a hole at entry ${index}`);
        else if (by < 1 || by >= round) found("silent", `entry ${index} says round ${by}`);
      }
      for (const [index, by] of acknowledged) {
        if (index <= opened.compacted) acknowledged.delete(index);
        else if (has.get(index) !== by) found("lost", `entry ${index} of round ${by}`);
      }
    }
    for (const [index, by] of life.acked) acknowledged.set(index, by);
    result.acked += life.acked.length;
  }
  return { result, judge };
}

/** The same numbers for the same seed, in [0, 1). @param {number} seed */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
