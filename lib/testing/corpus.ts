/**
 * The corpus: scripts that once found a bug, run first ever after.
 *
 * A case holds its options beside its script, so that neither moves when something else is drawn from a seed. What is left to the seed is
 * how long messages and writes take and who campaigns when, and any change of the code shuffles that: so a case is run with several seeds. Where it
 * says which change of today's code brings the bug back (`undo`), a test does that and expects the script to find it.
 */
import type { Script } from "./arena.js";
import type { Environment, SimOptions } from "./sim-options.js";
import { type SimulationResult, simulateAll } from "./simulator.js";

/** A textual change: `find` is in `file` once. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface CorpusCase {
  readonly seed: number;
  readonly invariant: string;
  readonly found: string;
  readonly script: Script;
  /** As they were. Where they are missing the seed draws them, but for `environment`, which is "direct" where that is missing too. */
  readonly options?: SimOptions;
  readonly environment?: Environment;
  /** What it pins, as docs/TRACK-RECORD.md calls it. */
  readonly pins?: string;
  /** Takes what it pins out of the code again. */
  readonly undo?: readonly Change[];
}

/** With so many seeds, from its own on, a case is run. */
export const corpusRuns = 10;

/** @param run  0 for the seed with which it was found */
export function replay(
  { seed, script, options, environment = "direct" }: CorpusCase,
  run: number = 0,
): Promise<SimulationResult> {
  return simulateAll({ seed: seed + run, script, options: options ?? { environment } });
}

/** Of all its runs those that break something. */
export async function replayAll(one: CorpusCase): Promise<SimulationResult[]> {
  const failures: SimulationResult[] = [];
  for (let run = 0; run < corpusRuns; run++) {
    const result = await replay(one, run);
    if (result.violation !== undefined) failures.push(result);
  }
  return failures;
}

/** JSON knows no infinity. Lists of numbers keep to one line, as the formatter has them. */
export function writeCase(one: CorpusCase): string {
  const text = JSON.stringify(one, (_, value) => (value === Infinity ? "Infinity" : value), 2);
  const lists = /\[\s+([^[\]{}]*?)\s+\]/g;
  return `${text.replace(lists, (_, items: string) => `[${items.replace(/\s+/g, " ")}]`)}\n`;
}

export function readCase(text: string): CorpusCase {
  return JSON.parse(text, (_, value) => (value === "Infinity" ? Infinity : value)) as CorpusCase;
}
