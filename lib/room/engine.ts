/**
 * Engine: what a page runs for one room: its own peer, the peers of tabs that are gone, and the calls of its user.
 *
 * Every half second it looks at the slots of its profile: a slot that is a voter of the room and that nobody holds any more is
 * adopted after a grace (a reload takes its slot again within it), so that a quorum can form; once the room has removed such a
 * peer, it is retired and its store deleted. A peer whose id was removed comes back under a new one; a store that fails is
 * reopened from disk, a few times.
 *
 * Invariant: a store is opened only while its slot's lock is held, and deleted only when its id was removed from the room.
 */
import { createEmitter, type Emitter } from "../base/emitter.js";
import { LogboomError } from "../base/errors.js";
import type { NodeId } from "../core/types.js";
import type { Immutable } from "../machines/machine.js";
import type { Applied } from "../machines/replica.js";
import { type ClientId, clientId } from "../machines/seed.js";
import type { Acknowledged } from "../storage/storage.js";
import { Commands } from "./commands.js";
import type { EngineEvents, EngineOptions } from "./engine-options.js";
import type { SlotOpening } from "./open-peer.js";
import type { RoomPeer, RoomPeerEvents } from "./peer.js";
import type { SlotRecord } from "./registry.js";
import type { HeldSlot } from "./slots.js";

/** How long a voter's slot must be free before another tab adopts it: a reload is back sooner. */
export const adoptAfterMs = 2_000;
/** The same right after the page opened, when the profile's other tabs may be opening too. */
export const adoptAtOpeningMs = 800;
const lookEveryMs = 500;
const resendEveryMs = 2_000;
const reopenMax = 3;

export class RoomEngine<S> {
  readonly client: ClientId = clientId(crypto.getRandomValues(new Uint8Array(16)));
  readonly commands: Commands;
  readonly changed: Emitter<undefined> = createEmitter();
  readonly rejected: Emitter<EngineEvents["rejected"]> = createEmitter();
  readonly #options: EngineOptions<S>;
  readonly #adopted = new Map<string, RoomPeer<S>>();
  readonly #freeSince = new Map<string, number>();
  readonly #openedAt: number;
  readonly #stops: (() => void)[] = [];
  #own: RoomPeer<S> | undefined;
  #state: Immutable<S> | undefined;
  #halted: string | undefined;
  #reopened = 0;
  #closed = false;
  #looking = false;
  /** The own peer is closed, and another is about to take its place. */
  #replacing = false;
  #changing = false;
  #noted = "";

  constructor(options: EngineOptions<S>) {
    this.#options = options;
    this.#openedAt = options.clock.now();
    this.commands = new Commands({
      client: this.client,
      author: options.author,
      machineVersion: options.machineVersion,
      logTime: () =>
        this.#own?.isMember === true ? this.#own.replicated.replica.logTime : undefined,
      send: (command) => this.#own?.submit(command) ?? false,
      rejected: (event) => this.rejected.emit(event),
    });
  }

  /** Takes a slot and starts its peer. @throws LogboomError `NO_STORAGE`, `STORAGE_FAILED` */
  async start(): Promise<void> {
    const { slots, clock } = this.#options;
    const slot = await slots.takeOwn(clock.wall());
    try {
      await this.#openOwn(slot);
    } catch (error) {
      slot.release();
      throw error;
    }
    this.#stops.push(
      clock.every(lookEveryMs, () => void this.#look()),
      clock.every(resendEveryMs, () => this.commands.resend()),
    );
  }

  /** This page's own peer. */
  get own(): RoomPeer<S> {
    if (this.#own === undefined) throw new LogboomError("CLOSED", "the room is not open");
    return this.#own;
  }

  /** The room's state as this page knows it; while a peer is replaced, what its predecessor knew. */
  get state(): Immutable<S> {
    const { node, replicated } = this.own;
    if (node.status().applied > 0 || this.#state === undefined) {
      this.#state = replicated.replica.state;
    }
    return this.#state;
  }

  get adopted(): readonly RoomPeer<S>[] {
    return [...this.#adopted.values()];
  }

  get halted(): string | undefined {
    return this.#halted;
  }

  /** The page may be going away: leadership is handed on, and the others are told. */
  goodbye(): void {
    this.#own?.goodbye();
    for (const peer of this.#adopted.values()) peer.goodbye();
  }

  /** The page stays after all. */
  stay(): void {
    for (const peer of [this.#own, ...this.#adopted.values()]) peer?.greet();
  }

  /** The page is gone after this task: says goodbye and ends every link, so that nobody waits for silence. */
  leave(): void {
    this.goodbye();
    for (const peer of [this.#own, ...this.#adopted.values()]) void peer?.transport.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.commands.close(
      new LogboomError("CLOSED", "the room was closed before the command settled", {
        outcome: "unknown",
      }),
    );
    await this.#stopPeers();
  }

  /** A new boot from disk behind the same handles. */
  async restart(): Promise<void> {
    if (this.#closed) return;
    await this.#guard(this.#stopPeers().then(() => this.start()));
  }

  async #stopPeers(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.goodbye();
    const peers = [this.#own, ...this.#adopted.values()];
    this.#adopted.clear();
    for (const peer of peers) {
      await peer?.close();
      peer?.slot.release();
    }
  }

  async #openOwn(slot: HeldSlot, notBelow?: Acknowledged): Promise<void> {
    const events: RoomPeerEvents = {
      applied: (command) => this.#onApplied(command),
      restored: () => this.#onRestored(),
      resend: () => this.commands.resend(),
      changed: () => this.#change(),
      removed: () => void this.#guard(this.#rebirth()),
      failed: (error) => void this.#guard(this.#reopen(error)),
    };
    const peer = await this.#openStarted({ slot, adopted: false, events, notBelow });
    this.#own = peer;
    await this.#options.founded(slot);
    for (const other of this.#adopted.values()) this.#options.connect(peer, other);
    this.#campaignIfAlone(peer);
    this.#change();
  }

  /** A configuration whose only voter is here has nobody to wait for. */
  #campaignIfAlone(peer: RoomPeer<S>): void {
    const { voters, votersOutgoing } = peer.confState;
    if (votersOutgoing.length === 0 && voters.length === 1 && voters[0] === peer.id) {
      peer.node.campaign();
    }
  }

  #onApplied(applied: Applied): void {
    if (applied.kind !== "malformed" && applied.client === this.client) {
      this.commands.applied(applied);
    }
  }

  #onRestored(): void {
    const { replica } = this.own.replicated;
    this.commands.restored((sequence) => replica.outcomeOf(this.client, sequence));
    this.#change();
  }

  /** Our id was removed while we were away: a new slot, a new identity, and in again as a learner. */
  async #rebirth(): Promise<void> {
    const old = this.#own;
    if (old === undefined || this.#closed || this.#replacing) return;
    this.#replacing = true;
    await this.#retire(old);
    if (!this.#closed) {
      await this.#openOwn(await this.#options.slots.create(this.#options.clock.wall()));
    }
    this.#replacing = false;
  }

  /** The store failed or was taken away: everything in memory is thrown away, and what is on disk decides. */
  async #reopen(error: unknown): Promise<void> {
    const old = this.#own;
    if (old === undefined || this.#closed || this.#replacing) return;
    this.#reopened += 1;
    if (this.#reopened > reopenMax || !isStorageFailure(error)) throw error;
    this.#replacing = true;
    await old.close();
    await this.#openOwn(old.slot, old.acknowledged());
    this.#replacing = false;
  }

  async #retire(peer: RoomPeer<S>): Promise<void> {
    await peer.close();
    await this.#options.deletePeer(peer);
    await this.#options.slots.forget(peer.slot.id);
    peer.slot.release();
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#closed || this.#replacing || this.#halted !== undefined) return;
    this.#looking = true;
    try {
      await this.#noteRoles();
      await this.#adoptOrphans();
      await this.#retireRemoved();
      // Silence makes no event: what is derived from it is looked at here.
      this.#change();
    } catch (error) {
      // Only the directory of slots is at stake here, and it is looked at again in half a second.
      if (!this.#closed) warn("looking at the profile's slots", error);
    } finally {
      this.#looking = false;
    }
  }

  /** The registry learns who votes, so that the next opening takes and adopts the right slots. */
  async #noteRoles(): Promise<void> {
    const peers = [this.own, ...this.#adopted.values()];
    const roles = peers.map((peer) => `${peer.slot.id}:${peer.id}:${peer.isVoter}`).join();
    if (roles === this.#noted) return;
    this.#noted = roles;
    const usedAt = this.#options.clock.wall();
    for (const peer of peers) {
      const { id: nodeId, isVoter: voter } = peer;
      await this.#options.slots.note(peer.slot.id, { nodeId, voter, usedAt });
    }
  }

  async #adoptOrphans(): Promise<void> {
    const now = this.#options.clock.now();
    const free = await this.#options.slots.free();
    const orphans = free.filter((slot) => this.#isOrphan(slot));
    for (const id of [...this.#freeSince.keys()]) {
      if (!orphans.some((slot) => slot.id === id)) this.#freeSince.delete(id);
    }
    for (const { id } of orphans) {
      const since = this.#freeSince.get(id) ?? now;
      this.#freeSince.set(id, since);
      const grace = since - this.#openedAt < adoptAfterMs ? adoptAtOpeningMs : adoptAfterMs;
      if (now - since < grace) continue;
      this.#freeSince.delete(id);
      await this.#adopt(id);
    }
  }

  /**
   * A voter by our own configuration; by the registry's word while we know no configuration, or while the registry does not
   * know whose store it is: a founder may be gone before it has said so.
   */
  #isOrphan({ nodeId, voter }: SlotRecord): boolean {
    const { voters, votersOutgoing } = this.own.confState;
    if (voters.length === 0 || nodeId === undefined) return voter;
    return (
      voters.includes(nodeId) ||
      votersOutgoing.includes(nodeId) ||
      (voter && !this.#isRemoved(nodeId))
    );
  }

  #isRemoved(id: NodeId): boolean {
    return this.own.replicated.table.removed.includes(id);
  }

  async #adopt(slotId: string): Promise<void> {
    const slot = await this.#options.slots.tryHold(slotId);
    if (slot === undefined) return;
    /** Stops running the peer; `end` is told which it was. */
    const letGo = (end: (peer: RoomPeer<S>) => Promise<void>): void => {
      const peer = this.#adopted.get(slotId);
      if (peer === undefined) return;
      this.#adopted.delete(slotId);
      end(peer).catch((error: unknown) => warn("letting go of an adopted peer", error));
    };
    const events: RoomPeerEvents = {
      applied: () => {},
      restored: () => {},
      resend: () => {},
      changed: () => this.#change(),
      removed: () => letGo((peer) => this.#retire(peer)),
      // Its slot is free again for whoever can run it.
      failed: () => letGo((peer) => peer.close().then(() => slot.release())),
    };
    try {
      const peer = await this.#openStarted({ slot, adopted: true, events });
      this.#adopted.set(slotId, peer);
      for (const other of [this.own, ...this.#adopted.values()]) {
        if (other !== peer) this.#options.connect(peer, other);
      }
      this.#campaignIfAlone(peer);
    } catch (error) {
      slot.release();
      throw error;
    }
    this.#change();
    try {
      await this.#options.founded(slot);
    } catch (error) {
      // While it is said to be founding, an empty store in its slot would found the room again.
      letGo((peer) => peer.close().then(() => slot.release()));
      throw error;
    }
  }

  /** A peer that does not start lets go of its store, whose slot is free the next moment. */
  async #openStarted(opening: SlotOpening): Promise<RoomPeer<S>> {
    const peer = await this.#options.openPeer(opening);
    try {
      await peer.start();
    } catch (error) {
      await peer.close();
      throw error;
    }
    return peer;
  }

  /** An adopted peer may never hear of its own removal (dissertation §4.2.2); ours does. */
  async #retireRemoved(): Promise<void> {
    for (const [slotId, peer] of this.#adopted) {
      if (!this.#isRemoved(peer.id)) continue;
      this.#adopted.delete(slotId);
      await this.#retire(peer);
      this.#change();
    }
  }

  #change(): void {
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      if (!this.#closed) this.changed.emit(undefined);
    });
  }

  /** Whatever ends our own peer for good ends the room in this page: it says why, and nothing waits in vain. */
  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      await this.#halt(error);
    }
  }

  async #halt(error: unknown): Promise<void> {
    if (this.#closed || this.#halted !== undefined) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#halted = why;
    this.commands.close(
      new LogboomError("HALTED", `this page's peer has stopped for good: ${why}; reload the page`, {
        outcome: "unknown",
        cause: error,
      }),
    );
    this.#change();
    await this.#own?.close();
  }
}

/** What went wrong beside the room itself, and is tried again or does not matter to it. */
function warn(what: string, error: unknown): void {
  console.warn(`logboom: ${what} failed`, error);
}

function isStorageFailure(error: unknown): boolean {
  return error instanceof LogboomError && error.code === "STORAGE_FAILED";
}
