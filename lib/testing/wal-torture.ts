/**
 * Torture of the log: damage it everywhere, end the process everywhere, let every call fail, and look what comes back.
 *
 * What must hold: what was acknowledged is there, or the damage is reported; nothing is there that was never written; and a
 * log that was recovered can be appended to and recovered again. An oracle outside the store knows what was written and
 * acknowledged. RocksDB's and SQLite's way; figures of sizes are parameters, the code is the store's own.
 */
import { equalBytes } from "../base/bytes.js";
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
import {
  difference,
  differenceFromOlder,
  type Expected,
  isBetween,
  scriptedLife,
} from "./torture-life.js";
import { cutsAndFlips, type Damage, pairs, sectorDamages, usedBytes } from "./wal-damages.js";

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
  /** As on a disk where renaming is slow: segments are made ahead under their own names. */
  readonly slowRename?: boolean;
  /** About how many bytes of the last two records are damaged two at a time; default 150. */
  readonly pairedBytes?: number;
}

export function newCounts(): TortureCounts {
  return { cases: 0, acked: 0, lost: 0, silent: 0, reported: 0, findings: [] };
}

const limitsOf = ({ segmentBytes }: TortureOptions) => ({ segmentBytes, segmentsKept: 3 });
async function openOn(disk: MemoryDisk, options: TortureOptions): Promise<OpenedStore> {
  const { slowRename = false } = options;
  return await openWalStore({ ...disk.directory, slowRename }, limitsOf(options), {
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
  if (!marked) disk.remove("member/wal/synced");
  const segments = segmentsOf(disk);
  if (segments.length < 3) {
    throw new Error(
      `a log of ${segments.length} segments: it takes three to be damaged in all ways`,
    );
  }
  for (const [n, path] of segments.entries()) {
    const bytes = disk.bytes(path);
    const used = usedBytes(bytes);
    const damages = [cutsAndFlips(bytes, used), sectorDamages(bytes, used)];
    if (n === segments.length - 1) damages.push(pairs(bytes, used, options.pairedBytes ?? 150));
    for (const damage of damages.flatMap((some) => [...some])) {
      counts.acked += states.length;
      await judgeDamage(options, disk, path, damage, counts, (loaded) => {
        const lost = difference(loaded, whole);
        if (lost === undefined) return undefined;
        if (marked) return ["lost", lost];
        return isPrefix(loaded, states) ? undefined : ["silent", lost];
      });
    }
  }
}

/** Damages the files beside the log in every way: what a snapshot's file lost, an older one and the log must make up for. */
export async function tortureBesideTheLog(
  options: TortureOptions,
  counts: TortureCounts,
): Promise<void> {
  const { disk, states } = await liveThrough(options);
  const whole = states[states.length - 1];
  if (whole === undefined) return;
  const beside = disk.paths().filter((path) => path === "store" || path.endsWith(".snap"));
  for (const path of beside) {
    const bytes = disk.bytes(path);
    for (const damage of cutsAndFlips(bytes, bytes.length)) {
      counts.acked += states.length;
      await judgeDamage(options, disk, path, damage, counts, (loaded) => {
        const lost = differenceFromOlder(loaded, whole);
        return lost === undefined ? undefined : ["lost", lost];
      });
    }
  }
}

const segmentsOf = (disk: MemoryDisk): string[] =>
  disk.paths().filter((path) => path.endsWith(".wal"));

type Verdict = readonly [kind: "lost" | "silent", what: string];

async function judgeDamage(
  options: TortureOptions,
  disk: MemoryDisk,
  path: string,
  [what, damaged]: Damage,
  counts: TortureCounts,
  wrongWith: (loaded: Loaded) => Verdict | undefined,
): Promise<void> {
  counts.cases++;
  const copy = disk.copy();
  copy.damage(path, damaged());
  const before = copy.copy();
  const where = `${path}, ${what}`;
  try {
    const { loaded, wrong } = await recoverTwice(copy, options);
    if (wrong !== undefined) found(counts, "silent", `${where}: ${wrong}`);
    const verdict = wrongWith(loaded);
    if (verdict !== undefined) found(counts, verdict[0], `${where}: ${verdict[1]}`);
  } catch (error) {
    if (!isReport(error)) {
      found(counts, "silent", `${where}: ${String(error)}`);
      return;
    }
    counts.reported++;
    // What is reported is left as it was found, for whoever has better means.
    for (const segment of segmentsOf(before)) {
      if (equalBytes(before.bytes(segment), copy.bytes(segment))) continue;
      found(counts, "silent", `${where}: reported, and ${segment} was changed`);
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

export type FaultKind = "before" | "within" | "after" | "EIO" | "ENOSPC" | "short" | "fsync";

/** Lets the N-th call of the life end the process, or fail, for every N, and looks at what each kind of crash leaves. */
export async function tortureByFaults(
  options: TortureOptions,
  kinds: readonly FaultKind[],
  counts: TortureCounts,
): Promise<void> {
  const names: DiskCall[] = [];
  const { calls } = await faultyLife(options, (_number, call) => void names.push(call));
  for (let number = 1; number <= calls; number++) {
    for (const kind of kinds) {
      if (!applies(kind, names[number - 1])) continue;
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

function applies(kind: FaultKind, call: DiskCall | undefined): boolean {
  if (kind === "short") return call === "write";
  return kind !== "fsync" || call === "sync";
}

function faultOf(kind: FaultKind): DiskFault {
  if (kind === "fsync") return { kind: "dropped" };
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
