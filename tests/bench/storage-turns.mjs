/**
 * Two things that wait for a disk, in turns; runs in Node and in a page.
 *
 * Rounds are short and the order changes with each, so that what the machine does meanwhile hits both. Of each the rate counts that three
 * quarters of its rounds stay below (measure.mjs), which forgets the rounds in which something else had the disk or the processor. Only
 * `run` is timed, not `prepare`, which makes what is to be written.
 * The checksum, of which both measure the same as well, is here too.
 */
import { crc32c } from "../../dist/base/crc32c.js";

const roundMs = 80;
const rounds = 25;

/** The rate that three quarters of the rounds stay below. @param {readonly number[]} rates */
export function ratedOf(rates) {
  return [...rates].sort((a, b) => a - b)[Math.floor(rates.length * 0.75)] ?? Number.NaN;
}

/**
 * @template T
 * @typedef {{ prepare(): T, run(prepared: T): Promise<void> }} Candidate
 */

/**
 * Ours beside the bare one, in calls of so many entries.
 * @template A, B
 * @param {string} name
 * @param {number} batch
 * @param {Candidate<A>} ours
 * @param {Candidate<B>} bare
 */
export async function compare(name, batch, ours, bare) {
  /** @type {number[]} */ const our = [];
  /** @type {number[]} */ const theirs = [];
  for (let n = -2; n < rounds; n++) {
    const first = n % 2 === 0 ? await rateOf(ours) : undefined;
    const other = await rateOf(bare);
    const mine = first ?? (await rateOf(ours));
    if (n < 0) continue;
    our.push(mine);
    theirs.push(other);
  }
  const [mine, other] = [ratedOf(our), ratedOf(theirs)];
  return {
    name,
    unit: "entries/s",
    ours: mine * batch,
    reference: other * batch,
    goal: { ratio: 0.8 },
  };
}

/** Calls per second of one round. @template T @param {Candidate<T>} candidate */
async function rateOf({ prepare, run }) {
  let calls = 0;
  let spent = 0;
  while (spent < roundMs) {
    const prepared = prepare();
    const begun = performance.now();
    await run(prepared);
    spent += performance.now() - begun;
    calls++;
  }
  return (calls / spent) * 1000;
}

/** @param {number} first @param {number} count @param {number} [bytes] */
export function entriesOf(first, count, bytes = 256) {
  const entries = [];
  // One array for all: making them is the benchmark's work, not the store's.
  const data = commandOf(bytes);
  for (let n = 0; n < count; n++) {
    entries.push({
      term: 1,
      index: first + n,
      type: /** @type {const} */ ("EntryNormal"),
      data,
      unknown: undefined,
    });
  }
  return entries;
}

/** @type {Map<number, Uint8Array>} */
const commands = new Map();

/** Bytes as a command has them: no two of a kind in a row. @param {number} length */
function commandOf(length) {
  const known = commands.get(length);
  if (known !== undefined) return known;
  const command = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    command[at] = state >>> 16;
  }
  commands.set(length, command);
  return command;
}

/**
 * CRC-32C of blocks of 1 MiB, beside the usual loop over one table, a byte at a time.
 *
 * @param {string} runtime
 */
export function checksum(runtime) {
  const bytes = new Uint8Array(1 << 20).map((_, at) => at * 7);
  /** @type {number[]} */ const our = [];
  /** @type {number[]} */ const theirs = [];
  for (let round = 0; round < 24; round++) {
    our.push(sumRate(crc32c, bytes, 20));
    theirs.push(sumRate(byteByByte, bytes, 4));
  }
  const [ours, reference] = [ratedOf(our), ratedOf(theirs)];
  return { name: `crc-32c, ${runtime}`, unit: "MB/s", ours, reference, goal: { least: 500 } };
}

/** @param {(bytes: Uint8Array, previous: number) => number} sumOf @param {Uint8Array} bytes @param {number} times */
function sumRate(sumOf, bytes, times) {
  let sum = 0;
  const begun = performance.now();
  for (let n = 0; n < times; n++) sum = sumOf(bytes, sum);
  return (times * bytes.length) / 1e6 / ((performance.now() - begun) / 1000);
}

const table = new Int32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** @param {Uint8Array} bytes @param {number} previous */
function byteByByte(bytes, previous) {
  let crc = ~previous;
  for (let at = 0; at < bytes.length; at++) {
    crc =
      (crc >>> 8) ^ /** @type {number} */ (table[(crc ^ /** @type {number} */ (bytes[at])) & 255]);
  }
  return ~crc >>> 0;
}
