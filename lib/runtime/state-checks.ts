/** State checks of one node: begun while it leads, answered whenever one passes in the log, acted upon by the verdict. */
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import type { NodeId } from "../core/types.js";
import type { Configuration } from "./members.js";
import { memberIds } from "./members.js";
import { refusal } from "./refusals.js";
import type { RequestFrame } from "./requests.js";
import { StateCheck, type StateHash, type StateVerdict } from "./state-check.js";

export interface StateChecksOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  /** How long the others may take to answer. */
  readonly waitMs: number;
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
}

export class StateChecks {
  readonly #options: StateChecksOptions;
  #check: StateCheck | undefined;

  constructor(options: StateChecksOptions) {
    this.#options = options;
  }

  async begin(): Promise<StateVerdict> {
    const { leads, self, configuration, random, mark } = this.#options;
    if (!leads()) throw refusal("notLeader");
    if (this.#check !== undefined) throw refusal("inProgress");
    const { confState } = configuration();
    const id = 1 + random.below(2 ** 32);
    let check: StateCheck | undefined;
    try {
      const verdict = await new Promise<StateVerdict>((resolve, reject) => {
        check = new StateCheck(id, memberIds(confState), confState.voters, this.#options, resolve);
        this.#check = check;
        mark(id).catch(reject);
      });
      this.#act(verdict, self);
      return verdict;
    } finally {
      check?.close();
      this.#check = undefined;
    }
  }

  /** The machine has passed a marker. */
  passed(hash: StateHash): void {
    const { self, leader, send, leads } = this.#options;
    if (leads()) this.#check?.answered(self, hash);
    else if (leader() !== 0) send(leader(), { type: "state", id: hash.id, hash });
  }

  answered(from: NodeId, hash: StateHash): void {
    this.#check?.answered(from, hash);
  }

  /** The leader says that this node is in the minority. */
  told(from: NodeId, index: number): void {
    const { leader, diverged, restore, self } = this.#options;
    if (from !== leader()) return;
    diverged({ index, answered: [], minority: [self] });
    restore();
  }

  close(): void {
    this.#check?.close();
  }

  #act(verdict: StateVerdict, self: NodeId): void {
    const { minority, index, answered } = verdict;
    if (minority !== undefined && minority.length === 0) return;
    this.#options.diverged(verdict);
    if (minority === undefined) return;
    if (minority.includes(self)) {
      // Its own snapshots would spread the error: another leads, and checks again.
      const { voters } = this.#options.configuration().confState;
      const heir = voters.find((id) => answered.includes(id) && !minority.includes(id));
      if (heir !== undefined) this.#options.transfer(heir);
      return;
    }
    for (const node of minority) this.#options.send(node, { type: "diverged", id: index });
  }
}
