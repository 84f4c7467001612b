/**
 * SessionClient: `logboom/sessions`. A caller whose commands are applied exactly once, however often they must be sent.
 *
 * Each command has a number; as long as nobody knows its end it is proposed again under that number, through whichever node this
 * client was last pointed at. Compare dissertation §6.3.
 */
import { isLogboomError, LogboomError } from "../base/errors.js";
import type { Applied } from "../runtime/proposals.js";
import { type Client, createClient } from "./client.js";
import { clientId } from "./seed.js";
import { encodeNumbered, type SessionMachine, type SessionResult } from "./session-machine.js";
import type { Value } from "./values.js";

export {
  createSessionMachine,
  type SessionMachine,
  type SessionResult,
} from "./session-machine.js";

/** What of a RaftNode is used. */
export interface SessionNode<Result> {
  propose(
    command: Uint8Array,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Applied<SessionResult<Result>>>;
  waitForLeader(options?: { readonly signal?: AbortSignal }): Promise<number>;
}

/** Nothing happened, or nobody knows: the same number may, and should, be sent again. */
const retried: readonly string[] = [
  "LEADERSHIP_LOST",
  "NOT_LEADER",
  "PROPOSAL_DROPPED",
  "TOO_MUCH_LOG",
];

export class SessionClient<Result extends Value | undefined> {
  readonly #client: Client;
  #node: SessionNode<Result>;

  /**
   * @param random  16 bytes that nobody else has, new for each client
   * @param machine  the node's, for the log time at which this client begins
   */
  constructor(
    node: SessionNode<Result>,
    machine: Pick<SessionMachine<Result>, "logTime">,
    random: Uint8Array = crypto.getRandomValues(new Uint8Array(16)),
  ) {
    this.#node = node;
    this.#client = createClient(clientId(random), machine.logTime);
  }

  /** 32 hexadecimal digits: who is named in this client's commands. */
  get id(): string {
    return this.#client.id;
  }

  /** From now on commands go through `node`, those included that are being sent. */
  through(node: SessionNode<Result>): void {
    this.#node = node;
  }

  /**
   * Applies `command` once and resolves with its result, as long as it takes. `repeated`: an earlier attempt had been applied already.
   *
   * @param command  1 byte to 49 less than the node's `proposalBytesMax`
   * @throws LogboomError with outcome none: `TOO_LARGE` (also when 1,024 commands are unfinished), `BAD_INPUT` (the machine did not
   *         understand the bytes before the command) · with outcome unknown: `SESSION_EXPIRED` (it may have been applied before its session
   *         ended, and is not applied again), `ABORTED`, `CLOSED`, `HALTED`: it is not sent again, and applied at most once
   */
  async propose(
    command: Uint8Array,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Applied<Result> & { readonly repeated: boolean }> {
    const { id: client, since } = this.#client;
    const sequence = this.#client.begin();
    const numbered = { client, sequence, low: this.#client.low(), since };
    const entry = encodeNumbered(numbered, command);
    // However it ends, it is not sent again: its place among the unfinished is free.
    const { index, term, result } = await this.#send(entry, signal).finally(() =>
      this.#client.finish(sequence),
    );
    if (result.kind === "done") {
      return { index, term, result: result.result, repeated: result.repeated };
    }
    if (result.kind === "malformed") {
      throw new LogboomError("BAD_INPUT", "the command was not understood by its machine");
    }
    throw new LogboomError("SESSION_EXPIRED", "the client's session is over", {
      outcome: "unknown",
    });
  }

  async #send(
    entry: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Applied<SessionResult<Result>>> {
    const options = signal === undefined ? {} : { signal };
    for (;;) {
      const node = this.#node;
      try {
        return await node.propose(entry, options);
      } catch (error) {
        const moved = node !== this.#node;
        if (!isLogboomError(error) || (!moved && !retried.includes(error.code))) throw error;
        await this.#node.waitForLeader(options);
      }
    }
  }
}
