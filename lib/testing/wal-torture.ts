/**
 * Torture of the log: damage it everywhere, end the process everywhere, let every call fail, and look what comes back.
 *
 * What must hold: what was acknowledged is there, or the damage is reported; nothing is there that was never written; and a
 * log that was recovered can be appended to and recovered again. An oracle outside the store knows what was written and
 * acknowledged. RocksDB's and SQLite's way; figures of sizes are parameters, the code is the store's own.
 */
import { isLogboomError } from "../base/errors.js";
import { type Random, seededRandom } from "../base/random.js";
import type { Entry } from "../core/types.js";
import type { Loaded, OpenedStore } from "../storage/storage.js";
import { openWalStore } from "../storage/wal-store.js";
import {
  Crashed,
  createMemoryDisk,
  type DiskCall,
  type DiskFault,
  type MemoryDisk,
} from "./disk.js";
import { difference, type Expected, isBetween, scriptedLife } from "./torture-life.js";

export interface TortureCounts {
  cases: number;
  /** Acknowledged writes looked for. */
  acked: number;
  /** Acknowledged and gone without a report. */
  lost: number;
  /** Other things that are wrong and that nobody said: alien entries, a log that cannot go on. */
  silent: number;
  /** Damages that were reported. */
  reported: number;
  /** The first few findings, in words. */
  readonly findings: string[];
}

export interface TortureOptions {
  readonly segmentBytes: number;
  /** Writes of the scripted life. */
  readonly writes: number;
  readonly seed: number;
}

export function newCounts(): TortureCounts {
  return { cases: 0, acked: 0, lost: 0, silent: 0, reported: 0, findings: [] };
}

const limitsOf = ({ segmentBytes }: TortureOptions) => ({ segmentBytes, segmentsKept: 3 });
async function openOn(disk: MemoryDisk, options: TortureOptions): Promise<OpenedStore> {
  return await openWalStore(disk.directory, limitsOf(options), {
    randomBytes: (length) => new Uint8Array(length).fill(7),
    trailingEntries: 3,
  });
}

/** Recovers, and checks that the log then goes on: three entries more, and recovered again. */
async function recoverTwice(
  disk: MemoryDisk,
  options: TortureOptions,
): Promise<{ readonly loaded: Loaded; readonly wrong: string | undefined }> {
  const store = await openOn(disk, options);
  const loaded = await store.storage.load();
  const last = loaded.entries.at(-1) ?? loaded.compacted;
  const term = loaded.hardState.term + 1;
  const added: Entry[] = [1, 2, 3].map((n) => ({
    term,
    index: last.index + n,
    type: "EntryNormal",
    data: Uint8Array.of(n),
    unknown: undefined,
  }));
  await store.storage.append({
    hardState: { term, vote: 1, commit: loaded.hardState.commit },
    snapshot: undefined,
    entries: added,
    sync: true,
  });
  await store.storage.close();
  const again = await openOn(disk, options);
  const reloaded = await again.storage.load();
  await again.storage.close();
  const tail = reloaded.entries.slice(-3);
  const kept = reloaded.entries.slice(0, -3).map(({ index }) => index);
  const before = loaded.entries.map(({ index }) => index);
  const same = kept.every((index) => before.includes(index)) && kept.length <= before.length;
  const right = tail.every(
    ({ index, term: own }, n) => index === last.index + n + 1 && own === term,
  );
  return { loaded, wrong: same && right ? undefined : "the recovered log did not go on" };
}

function isReport(error: unknown): boolean {
  return isLogboomError(error) && error.code === "STORAGE_FAILED";
}

function found(counts: TortureCounts, kind: "lost" | "silent", what: string): void {
  counts[kind]++;
  if (counts.findings.length < 20) counts.findings.push(`${kind}: ${what}`);
}

// ── Damage ──

type Damage = readonly [what: string, damaged: () => Uint8Array<ArrayBuffer>];

/** Every truncation, every bit, every sector of one file. */
function* damagesOf(bytes: Uint8Array<ArrayBuffer>, used: number): Generator<Damage> {
  for (let length = 0; length < used; length++) {
    yield [`cut to ${length} bytes`, () => bytes.slice(0, length)];
  }
  for (let bit = 0; bit < used * 8; bit++) {
    yield [
      `bit ${bit} flipped`,
      () => {
        const copy = bytes.slice();
        copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        return copy;
      },
    ];
  }
  const sector = 512;
  for (let at = 0; at < used; at += sector) {
    yield [`sector ${at} zeroed`, () => bytes.slice().fill(0, at, at + sector)];
    for (let other = 0; other < used; other += sector) {
      if (other === at) continue;
      const copyOver = (): Uint8Array<ArrayBuffer> => {
        const copy = bytes.slice();
        copy.set(bytes.subarray(other, other + sector).subarray(0, bytes.length - at), at);
        return copy;
      };
      yield [`sector ${other} again at ${at}`, copyOver];
      if (other < at) continue;
      const swap = (): Uint8Array<ArrayBuffer> => {
        const copy = copyOver();
        copy.set(bytes.subarray(at, at + sector).subarray(0, bytes.length - other), other);
        return copy;
      };
      yield [`sectors ${at} and ${other} swapped`, swap];
    }
  }
}

/**
 * Damages every file of the log in every way. With the synced mark in place everything was flushed, so all of it must come back or
 * the damage be reported; without it (`marked: false`) a prefix may come back where the end looks torn.
 */
export async function tortureByDamage(
  options: TortureOptions,
  marked: boolean,
  counts: TortureCounts,
): Promise<void> {
  const { disk, states } = await liveThrough(options);
  const whole = states[states.length - 1];
  if (whole === undefined) return;
  const mark = "member/wal/synced";
  if (!marked) disk.remove(mark);
  for (const path of disk.paths().filter((one) => one.startsWith("member/wal/") && one !== mark)) {
    const bytes = disk.bytes(path);
    let used = bytes.length;
    while (used > 0 && bytes[used - 1] === 0) used--;
    used = Math.min(bytes.length, used + 16);
    for (const [what, damaged] of damagesOf(bytes, used)) {
      counts.cases++;
      counts.acked += states.length;
      const copy = disk.copy();
      copy.damage(path, damaged());
      try {
        const { loaded, wrong } = await recoverTwice(copy, options);
        const where = `${path}, ${what}`;
        if (wrong !== undefined) found(counts, "silent", `${where}: ${wrong}`);
        const lost = difference(loaded, whole);
        if (lost === undefined) continue;
        if (marked) found(counts, "lost", `${where}: ${lost}`);
        else if (!isPrefix(loaded, states)) found(counts, "silent", `${where}: ${lost}`);
      } catch (error) {
        if (!isReport(error)) found(counts, "silent", `${path}, ${what}: ${String(error)}`);
        else counts.reported++;
      }
    }
  }
}

function isPrefix(loaded: Loaded, states: readonly Expected[]): boolean {
  const empty: Expected = { term: 0, vote: 0, snapshot: 0, entries: new Map(), last: 0 };
  return states.some((after, n) => isBetween(loaded, states[n - 1] ?? empty, after));
}

/** Runs the whole life on a disk that works. */
async function liveThrough(
  options: TortureOptions,
): Promise<{ readonly disk: MemoryDisk; readonly states: Expected[] }> {
  const disk = createMemoryDisk();
  const store = await openOn(disk, options);
  await store.storage.load();
  const states: Expected[] = [];
  for (const { run, after } of scriptedLife(options)) {
    await run(store);
    states.push(after);
  }
  // Not closed: the segment still has its zeros behind the end.
  return { disk: disk.crash("all", seededRandom(1)), states };
}

// ── Crashes and failures ──

export type FaultKind = "before" | "within" | "after" | "EIO" | "ENOSPC" | "short";

/** Lets the N-th call of the life end the process, or fail, for every N, and looks at what each kind of crash leaves. */
export async function tortureByFaults(
  options: TortureOptions,
  kinds: readonly FaultKind[],
  counts: TortureCounts,
): Promise<void> {
  const { calls } = await faultyLife(options, () => undefined);
  for (let number = 1; number <= calls; number++) {
    for (const kind of kinds) {
      const fault = faultOf(kind);
      const life = await faultyLife(options, (n) => (n === number ? fault : undefined));
      for (const survives of ["all", "none", "some", "some"] as const) {
        await judge(
          options,
          life,
          survives,
          seededRandom(number * 31 + counts.cases),
          counts,
          `call ${number} (${life.at}) ${kind}, ${survives} survives`,
        );
      }
    }
  }
}

function faultOf(kind: FaultKind): DiskFault {
  if (kind === "EIO" || kind === "ENOSPC") return { kind: "error", code: kind };
  return kind === "short" ? { kind: "short" } : { kind: "crash", when: kind };
}

interface Life {
  readonly disk: MemoryDisk;
  readonly calls: number;
  /** Index into `states` of the last write acknowledged; −1 for none. */
  readonly acked: number;
  readonly states: readonly Expected[];
  /** The call that failed. */
  readonly at: string;
  /** A write was acknowledged after the failure. */
  readonly ackedAfterFailure: boolean;
}

async function faultyLife(
  options: TortureOptions,
  fault: (number: number, call: DiskCall) => DiskFault | undefined,
): Promise<Life> {
  let failed = false;
  let at = "";
  const disk = createMemoryDisk({
    fault(number, call, path) {
      const planned = fault(number, call);
      if (planned !== undefined) {
        failed = true;
        at = `${call} ${path}`;
      }
      return planned;
    },
  });
  const steps = scriptedLife(options);
  const states = steps.map(({ after }) => after);
  let acked = -1;
  let ackedAfterFailure = false;
  try {
    const store = await openOn(disk, options);
    await store.storage.load();
    let broken = false;
    for (const { run } of steps) {
      try {
        await run(store);
        if (broken) ackedAfterFailure = true;
        else acked++;
      } catch (error) {
        if (error instanceof Crashed) break;
        broken = true;
      }
      if (broken && failed) continue;
    }
  } catch {
    // The store could not even be opened: nothing was acknowledged.
  }
  return { disk, calls: disk.calls, acked, states, at, ackedAfterFailure };
}

async function judge(
  options: TortureOptions,
  life: Life,
  survives: "all" | "none" | "some",
  random: Random,
  counts: TortureCounts,
  what: string,
): Promise<void> {
  counts.cases++;
  counts.acked += life.acked + 1;
  if (life.ackedAfterFailure) found(counts, "silent", `${what}: a write was acknowledged later`);
  const disk = life.disk.crash(survives, random);
  try {
    const { loaded, wrong } = await recoverTwice(disk, options);
    if (wrong !== undefined) found(counts, "silent", `${what}: ${wrong}`);
    const empty: Expected = { term: 0, vote: 0, snapshot: 0, entries: new Map(), last: 0 };
    const before = life.states[life.acked] ?? empty;
    const after = life.states[life.acked + 1] ?? before;
    if (!isBetween(loaded, before, after)) {
      found(counts, "lost", `${what}: ${difference(loaded, before)}`);
    }
  } catch (error) {
    found(counts, "lost", `${what}: ${String(error)}`);
  }
}
