/** A machine that keeps what each entry said of itself, and comes in versions. */
import { LogboomError } from "../../lib/base/errors.js";
import type { NodeMachine, StampedEntry } from "../../lib/runtime/state-machine.js";
import { bytes } from "./cluster.js";

export interface Row {
  readonly text: string;
  readonly now: number;
  readonly logTime: number;
  readonly version: number;
  readonly random: readonly [number, number];
}

export class Ledger implements NodeMachine<number> {
  readonly version: number;
  rows: Row[] = [];
  /** Part of the state: "1→2" for each migration it went through. */
  migrations: string[] = [];
  /** Not part of it: with which versions this object was restored. */
  readonly restored: number[] = [];

  constructor(version = 1) {
    this.version = version;
  }

  apply(entry: StampedEntry): number {
    const { data, now, logTime, version } = entry;
    const text = new TextDecoder().decode(data);
    this.rows.push({ text, now, logTime, version, random: [entry.random(), entry.random()] });
    return this.rows.length;
  }

  migrate(to: number): void {
    this.migrations.push(`${to - 1}→${to}`);
  }

  snapshot(): Iterable<Uint8Array> {
    return [bytes(JSON.stringify([this.rows, this.migrations]))];
  }

  restore(body: Uint8Array, version: number): void {
    this.restored.push(version);
    try {
      [this.rows, this.migrations] = JSON.parse(new TextDecoder().decode(body));
    } catch (cause) {
      throw new LogboomError("DECODE", "not a ledger", { cause });
    }
  }

  get texts(): readonly string[] {
    return this.rows.map(({ text }) => text);
  }
}
