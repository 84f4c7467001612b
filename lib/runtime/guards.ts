/**
 * Guards: what keeps replicas alike: stamps in place of clocks and randomness, machine versions that are activated everywhere at once,
 * states that are compared (DESIGN §10).
 *
 * Every second each member tells the voters its wall clock and how far its code goes: whoever leads next knows both already.
 *
 * Not here: what a stamp is (stamps.ts), which time is right (clocks.ts), when a version may be activated (versions.ts), how states are
 * compared (state-checks.ts), what all of it does to the machine (membered-machine.ts).
 */
import type { Cancel, Clock } from "../base/clock.js";
import { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { ConfChangeV2, NodeId, SoftState } from "../core/types.js";
import type { BareNode } from "./bare-node.js";
import { Clocks } from "./clocks.js";
import { carrierOf } from "./member-changes.js";
import type { MemberedMachine } from "./membered-machine.js";
import { type Configuration, decodeContext, memberIds } from "./members.js";
import { refusal } from "./refusals.js";
import type { RequestFrame } from "./requests.js";
import { markerEntry, stampAll } from "./stamps.js";
import type { StateVerdict } from "./state-check.js";
import { StateChecks } from "./state-checks.js";
import { Versions } from "./versions.js";

/** How often members tell each other their clock and version. */
const aboutMs = 10_000;

export interface GuardsOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly machine: MemberedMachine<unknown>;
  electionMs(): number;
  readonly activation: "automatic" | "manual";
  readonly checkEverySnapshots: number;
  softState(): SoftState;
  configuration(): Configuration;
  send(to: NodeId, frame: RequestFrame): boolean;
  change(change: ConfChangeV2): Promise<void>;
  /** Puts an entry that is no command into the log, as leader; resolves when it is applied here. */
  place(entry: Uint8Array): Promise<void>;
  bare(): Pick<BareNode<unknown>, "requestSnapshot" | "transferLeader" | "fail">;
  diverged(verdict: StateVerdict): void;
}

export class Guards {
  readonly checks: StateChecks;
  readonly #options: GuardsOptions;
  readonly #clocks: Clocks;
  readonly #versions: Versions;
  #telling: Cancel = () => {};
  #members: ReadonlySet<NodeId> = new Set();
  /** When this node began to lead, and what log time stood in the log then. */
  #leading: { readonly at: number; readonly logTime: number } | undefined;
  #activating = false;

  constructor(options: GuardsOptions) {
    const { self, clock, machine, electionMs, configuration } = options;
    this.#options = options;
    this.#clocks = new Clocks(self, clock);
    this.#versions = new Versions(self, machine.supports);
    this.checks = new StateChecks({
      self,
      clock,
      random: options.random,
      get waitMs() {
        return 20 * electionMs();
      },
      everySnapshots: options.checkEverySnapshots,
      leads: () => this.#leads,
      leader: () => options.softState().leader,
      configuration,
      mark: (id) => options.place(markerEntry(id)),
      send: (to, frame) => options.send(to, frame),
      restore: () => {
        options.bare().requestSnapshot();
      },
      transfer: (to) => {
        options.bare().transferLeader(to);
      },
      diverged: (verdict) => options.diverged(verdict),
      failed: (error) => options.bare().fail(error),
    });
    machine.onCheck = (point) => this.checks.passed(point);
  }

  /** The node runs and is linked: from here on others hear of us. */
  start(): void {
    const tell = (): void => {
      for (const id of this.#voters) this.#tell(id);
    };
    this.#telling = this.#options.clock.every(aboutMs, () => {
      tell();
      this.#look();
    });
    tell();
  }

  /** The entries to propose for `commands`, now, as leader. */
  stamped(commands: readonly Uint8Array[]): readonly Uint8Array[] {
    const { clock, machine, random } = this.#options;
    const { at, logTime } = this.#leading ?? { at: clock.now(), logTime: machine.times.logTime };
    const led = Math.max(0, Math.floor(clock.now() - at));
    const times = { now: this.#clocks.now(this.#voters), logTime: logTime + led };
    return stampAll(commands, times, random.below(2 ** 32));
  }

  /** The highest version that every member's code can be, as far as this node has heard; 0 while it has not heard of all. */
  get commonVersion(): number {
    return this.#versions.common(this.#members, this.#options.clock.now());
  }

  /** @throws LogboomError `BAD_INPUT`, `NOT_LEADER`, `PROPOSAL_DROPPED`: see `RaftNode.activateVersion` */
  async activate(version: number): Promise<void> {
    const { machine, self, change } = this.#options;
    if (!Number.isSafeInteger(version) || version < 1) {
      const text = `a machine version is a whole number from 1 on, got ${String(version)}`;
      throw new LogboomError("BAD_INPUT", text);
    }
    if (version <= machine.version) return;
    if (!this.#leads) throw refusal("notLeader");
    const activation = carrierOf(self, { type: "activate", version });
    this.check(activation);
    await change(activation);
  }

  /** @throws LogboomError `PROPOSAL_DROPPED` for a change that would stop a member */
  check({ context }: ConfChangeV2): void {
    const carried = decodeContext(context);
    if (carried?.type !== "activate") return;
    const { clock } = this.#options;
    const objection = this.#versions.objection(carried.version, this.#members, clock.now());
    if (objection === undefined) return;
    throw new LogboomError("PROPOSAL_DROPPED", objection, { reason: "unsupportedVersion" });
  }

  roleChanged(): void {
    const { clock, machine } = this.#options;
    this.#leading = this.#leads ? { at: clock.now(), logTime: machine.times.logTime } : undefined;
    this.checks.roleChanged();
  }

  configured(): void {
    this.#members = memberIds(this.#options.configuration().confState);
    this.#clocks.keep(this.#members);
    this.#versions.keep(this.#members);
    for (const id of this.#voters) this.#tell(id);
  }

  linked(peer: NodeId, up: boolean): void {
    if (up) this.#tell(peer);
    else this.#versions.forget(peer);
  }

  /** What `from` says of itself. */
  about(from: NodeId, { wall, supports }: { wall: number; supports: number }): void {
    if (!this.#members.has(from)) return;
    this.#clocks.heard(from, wall);
    this.#versions.heard(from, supports, this.#options.clock.now());
    this.#look();
  }

  close(error: LogboomError): void {
    this.#telling();
    this.checks.close(error);
  }

  get #leads(): boolean {
    return this.#options.softState().role === "leader";
  }

  get #voters(): readonly NodeId[] {
    const { voters, votersOutgoing } = this.#options.configuration().confState;
    return votersOutgoing.length === 0 ? voters : [...new Set([...voters, ...votersOutgoing])];
  }

  #tell(peer: NodeId): void {
    const { self, clock, machine, send } = this.#options;
    if (peer === self) return;
    const wall = Math.max(0, Math.floor(clock.wall()));
    send(peer, { type: "about", wall, supports: machine.supports });
  }

  /** Activates what can be, if that is ours to do. */
  #look(): void {
    const { activation, machine } = this.#options;
    if (activation === "manual" || this.#activating || !this.#leads) return;
    const version = this.commonVersion;
    if (version <= machine.version) return;
    this.#activating = true;
    const done = (): void => {
      this.#activating = false;
    };
    // What stands in the way now (another change, say) is gone at one of the next looks.
    void this.activate(version).then(done, done);
  }
}
