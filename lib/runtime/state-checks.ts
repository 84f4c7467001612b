/**
 * State checks of one node: begun while it leads, answered whenever one passes in the log, acted upon by the verdict.
 *
 * Who is told that it differs asks for the leader's state until it has got it. A leader that differs itself hands over to one of the
 * majority and asks it to check again; should it go on leading all the same, it begins anew.
 */
import type { Cancel, Clock } from "../base/clock.js";
import type { LogboomError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { CheckPoint } from "./membered-machine.js";
import type { Configuration } from "./members.js";
import { memberIds } from "./members.js";
import { refusal } from "./refusals.js";
import type { RequestFrame } from "./requests.js";
import { hashState, StateCheck, type StateHash, type StateVerdict } from "./state-check.js";

export interface StateChecksOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  /** How long the others may take to answer, and how long until something that did not work is tried again. */
  readonly waitMs: number;
  /** After so many of its snapshots a leader checks by itself; 0 = never. */
  readonly everySnapshots: number;
  leads(): boolean;
  leader(): NodeId;
  configuration(): Configuration;
  /** Puts the marker into the log; resolves when it is applied here. */
  mark(id: number): Promise<void>;
  /** False when the frame is known to be lost: whoever it was for is then not judged, or stays as it is until the next check. */
  send(to: NodeId, frame: RequestFrame): boolean;
  /** Asks the leader for its state. */
  restore(): void;
  transfer(to: NodeId): void;
  diverged(verdict: StateVerdict): void;
  /** The machine's snapshot threw. */
  failed(error: unknown): void;
}

export class StateChecks {
  readonly #options: StateChecksOptions;
  #check: StateCheck | undefined;
  #hashing: Cancel = () => {};
  #snapshots = 0;
  /** Whether this node checks when it next leads, or is next able to. */
  #due = false;
  #again: Cancel | undefined;
  /** Asking for the leader's state. */
  #asking: Cancel | undefined;
  #closed = false;

  constructor(options: StateChecksOptions) {
    this.#options = options;
  }

  async begin(): Promise<StateVerdict> {
    const { leads, self, configuration, random, mark } = this.#options;
    if (!leads()) throw refusal("notLeader");
    if (this.#check !== undefined) throw refusal("inProgress");
    const { confState } = configuration();
    const id = 1 + random.below(2 ** 32);
    const check = new StateCheck(id, memberIds(confState), confState.voters, this.#options);
    this.#check = check;
    this.#snapshots = 0;
    mark(id).catch((error) => check.close(error));
    try {
      const verdict = await check.verdict;
      this.#due = false;
      this.#act(verdict, self);
      return verdict;
    } finally {
      this.#check = undefined;
    }
  }

  /** The machine has passed a marker. */
  passed(point: CheckPoint): void {
    const { clock, self, leader, send, leads, failed } = this.#options;
    this.#hashing();
    this.#hashing = hashState(
      clock,
      point,
      (hash) => {
        if (leads()) this.#check?.answered(self, hash);
        else if (leader() !== 0) send(leader(), { type: "state", id: hash.id, hash });
      },
      failed,
    );
  }

  answered(from: NodeId, hash: StateHash): void {
    this.#check?.answered(from, hash);
  }

  /** A snapshot was taken here. */
  snapshotTaken(): void {
    const { everySnapshots, leads } = this.#options;
    if (everySnapshots === 0 || !leads()) return;
    this.#snapshots += 1;
    if (this.#snapshots >= everySnapshots) this.#checkSoon();
  }

  /** The leader says that this node is in the minority. */
  told(from: NodeId, index: number): void {
    const { leader, diverged, self, clock, waitMs } = this.#options;
    if (from !== leader() || this.#closed) return;
    diverged({ index, answered: [], states: 2, minority: [self] });
    this.#asking?.();
    this.#asking = clock.every(waitMs, () => this.#options.restore());
    this.#options.restore();
  }

  /** The leader, which differs, names this node its successor. */
  askedToCheck(from: NodeId): void {
    if (from !== this.#options.leader()) return;
    this.#due = true;
  }

  /** A snapshot's state has replaced the machine's. */
  restored(): void {
    this.#asking?.();
    this.#asking = undefined;
  }

  /** This node leads now, or does no more. */
  roleChanged(): void {
    // Who is to restore must not lead: the check finds that out, and who is to.
    if (this.#options.leads() && (this.#due || this.#asking !== undefined)) this.#checkSoon();
  }

  close(error: LogboomError): void {
    this.#closed = true;
    this.#hashing();
    this.#again?.();
    this.#asking?.();
    this.#check?.close(error);
  }

  #checkSoon(): void {
    this.#due = true;
    // Whatever stands in the way (another change under way, a leader that is new), the next attempt is made by #later.
    this.#later();
    void this.begin().catch(() => {});
  }

  #later(): void {
    if (this.#closed || this.#again !== undefined) return;
    this.#again = this.#options.clock.after(this.#options.waitMs, () => {
      this.#again = undefined;
      if (this.#due && this.#options.leads()) this.#checkSoon();
    });
  }

  #act(verdict: StateVerdict, self: NodeId): void {
    const { minority, index, answered, states } = verdict;
    if (states > 1) this.#options.diverged(verdict);
    if (minority === undefined) return;
    if (minority.includes(self)) {
      // Its own snapshots would spread the error: another leads, and checks again.
      const { voters } = this.#options.configuration().confState;
      const heir = voters.find((id) => answered.includes(id) && !minority.includes(id));
      if (heir === undefined) return;
      this.#due = true;
      this.#later();
      this.#options.send(heir, { type: "check" });
      this.#options.transfer(heir);
      return;
    }
    for (const node of minority) this.#options.send(node, { type: "diverged", id: index });
  }
}
