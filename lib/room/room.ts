/**
 * Room: the door users come in by: found, join or reopen a room, and the handle they hold.
 *
 * `openRoom` decides under a Web Lock, so that two tabs opened at once found one room. The same room opened twice in a page is
 * one room: handles count references, and the last `close` ends it.
 *
 * Not here: what runs behind a handle (engine.ts), what status means (status.ts).
 */

import { hex } from "../base/bytes.js";
import { createEmitter } from "../base/emitter.js";
import { LogboomError } from "../base/errors.js";
import { validateInput } from "../machines/input.js";
import type { AnyMachine, CallOptions, Do, Machine } from "../machines/machine.js";
import type { Value } from "../machines/values.js";
import { systemClock } from "../runtime/system-clock.js";
import { roomKeysOf } from "../security/room-keys.js";
import { openSharedMap } from "../storage/shared-map.js";
import { findInvite, formatInvite, type Invite, newInvite, withoutInvite } from "./invite.js";
import { lastRoom, type Registry, type RoomRecord } from "./registry.js";
import { RoomView } from "./room-view.js";
import { closeShared, openShared, type SharedRoom } from "./shared-rooms.js";
import { peerOf } from "./status.js";
import type { OpenOptions, Peer, Room, RoomEvents, RoomOptions, RoomStatus } from "./types.js";

/**
 * The everyday door: joins by `options.invite`, else reopens the room of this kind that this profile used last, else founds one.
 *
 * Resolves when this page's peer runs: the state is what this profile had on disk (for a newcomer the machine's initial one until
 * the room's arrives; `status.role` is `"joining"` until then).
 *
 * @throws LogboomError `BAD_CONFIG`, `BAD_INVITE`, `INSECURE_CONTEXT`, `NO_WEBRTC`, `NO_STORAGE`, `NOT_SUPPORTED`, `STORAGE_FAILED`,
 *         `WRONG_MACHINE` (the profile's room of that key runs another machine), `ABORTED`
 */
export function openRoom<S, C, J extends string>(
  machine: Machine<S, C, J>,
  options: OpenOptions,
): Promise<Room<S, C, J>> {
  return open(machine, options, async (registry, key) => {
    const invite = findInvite(options.invite ?? "");
    if (invite !== undefined) return await joined(registry, machine, key, invite);
    return (await lastRoom(registry, key)) ?? (await founded(machine, key));
  });
}

/** Founds a new room, whatever this profile has already. @throws as `openRoom` */
export function createRoom<S, C, J extends string>(
  machine: Machine<S, C, J>,
  options: RoomOptions,
): Promise<Room<S, C, J>> {
  return open(machine, options, (_registry, key) => founded(machine, key));
}

/** Joins the room of an invite, or reopens it. @throws as `openRoom`; `BAD_INVITE` also when there is none in `invite` */
export function joinRoom<S, C, J extends string>(
  machine: Machine<S, C, J>,
  options: RoomOptions & { readonly invite: string },
): Promise<Room<S, C, J>> {
  return open(machine, options, async (registry, key) => {
    const invite = findInvite(options.invite);
    if (invite !== undefined) return await joined(registry, machine, key, invite);
    throw new LogboomError(
      "BAD_INVITE",
      "there is no invite in this text: it begins with logboom=1.",
    );
  });
}

type Decide = (registry: Registry, key: string) => Promise<RoomRecord>;

async function open<S, C, J extends string>(
  machine: Machine<S, C, J>,
  options: RoomOptions,
  decide: Decide,
): Promise<Room<S, C, J>> {
  checkOptions(options);
  checkPlatform();
  checkSignal(options.signal);
  const key = options.key ?? machine.name;
  const registry: Registry = await openSharedMap("logboom");
  const record = await navigator.locks.request(`logboom/open/${key}`, async () => {
    const decided = await decide(registry, key);
    if (decided.machine !== machine.name) {
      throw new LogboomError(
        "WRONG_MACHINE",
        `the room of key "${key}" runs the machine "${decided.machine}", not "${machine.name}": give another key`,
      );
    }
    const current = { ...decided, usedAt: systemClock.wall() };
    await registry.update(decided.roomId, (old) =>
      old === undefined ? current : { ...old, usedAt: current.usedAt },
    );
    return current;
  });
  takeOutOfAddressBar(formatInvite(record));
  checkSignal(options.signal);
  const shared = await openShared<S>(record, registry, machine, options);
  return handle(machine, record, shared);
}

/** A room of our own; it exists once the slot that founds it has written so. */
async function founded(machine: AnyMachine, key: string): Promise<RoomRecord> {
  const slot = hex(crypto.getRandomValues(new Uint8Array(8)));
  const record = await newRecord(machine, key, newInvite());
  return {
    ...record,
    founding: slot,
    slots: [{ id: slot, nodeId: undefined, voter: true, usedAt: systemClock.wall() }],
  };
}

async function joined(
  registry: Registry,
  machine: AnyMachine,
  key: string,
  invite: Invite,
): Promise<RoomRecord> {
  const record = await newRecord(machine, key, invite);
  return (await registry.get(record.roomId)) ?? record;
}

async function newRecord(machine: AnyMachine, key: string, invite: Invite): Promise<RoomRecord> {
  const { roomId } = await roomKeysOf(invite.secret);
  return {
    roomId,
    key,
    machine: machine.name,
    clusterId: invite.clusterId,
    secret: invite.secret,
    author: hex(crypto.getRandomValues(new Uint8Array(8))),
    founding: undefined,
    usedAt: systemClock.wall(),
    slots: [],
  };
}

function handle<S, C, J extends string>(
  machine: Machine<S, C, J>,
  record: RoomRecord,
  shared: SharedRoom<S>,
): Room<S, C, J> {
  const { engine } = shared;
  const view = new RoomView(shared);
  const rejected = createEmitter<RoomEvents<C, J>["rejected"]>();
  const stops = [
    shared.changed.on(() => view.refresh()),
    engine.rejected.on((event) => rejected.emit(event as RoomEvents<C, J>["rejected"])),
  ];
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= closeShared(record.roomId, shared).finally(() => {
      for (const stop of stops) stop();
    });
    return closed;
  };
  const on = (type: keyof RoomEvents<C, J>, listener: (event: never) => void): (() => void) => {
    if (type === "status") return view.statuses.on(listener as (event: RoomStatus) => void);
    if (type === "peer") return view.changedPeers.on(listener as (event: Peer) => void);
    return rejected.on(listener as (event: RoomEvents<C, J>["rejected"]) => void);
  };
  return {
    id: record.roomId,
    do: commandsOf(machine, (command, input, options) => {
      if (closed === undefined) return engine.commands.call(command, input, options?.signal);
      return Promise.reject(new LogboomError("CLOSED", "this room handle was closed"));
    }),
    get state() {
      return engine.state;
    },
    get committed() {
      return engine.state;
    },
    get status() {
      return view.status;
    },
    get me() {
      return peerOf(engine, engine.own.id);
    },
    get peers() {
      return view.peers;
    },
    subscribe: (listener) => view.states.on(listener),
    on: on as Room<S, C, J>["on"],
    invite: (base = globalThis.location?.href ?? "") =>
      `${base.replace(/#.*$/s, "")}#${formatInvite(record)}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A plain frozen object, not a Proxy: `await room.do` must not call a command named `then`. */
function commandsOf<S, C, J extends string>(
  machine: Machine<S, C, J>,
  call: (command: string, input: Value | undefined, options?: CallOptions) => Promise<unknown>,
): Do<C> {
  const calls: Record<string, unknown> = Object.create(null);
  for (const command of Object.keys(machine.commands as object)) {
    calls[command] = (input: unknown, options?: CallOptions): Promise<unknown> => {
      try {
        const checked = validateInput(machine, command, input);
        // A synchronous schema leaves no gap: the call is on its way in the caller's own task.
        if (!(checked instanceof Promise)) return call(command, checked, options);
        return checked.then((value) => call(command, value, options));
      } catch (error) {
        return Promise.reject(error);
      }
    };
  }
  return Object.freeze(calls) as Do<C>;
}

function checkOptions({ peerPer, name, relay }: RoomOptions): void {
  if (peerPer === "profile") {
    throw new LogboomError(
      "NOT_SUPPORTED",
      'peerPer "profile" does not exist yet: use peerPer: "tab", where each tab is a peer of its own',
    );
  }
  if (peerPer !== "tab") throw badOption("peerPer", 'must be given and be "tab"', peerPer);
  if (name !== undefined && (typeof name !== "string" || name.length > 64)) {
    throw badOption("name", "must be a string of at most 64 characters", name);
  }
  const protocol = URL.canParse(relay) ? new URL(relay).protocol : "";
  if (protocol !== "wss:" && protocol !== "ws:") {
    throw badOption("relay", "must be a URL beginning with wss:// or ws://", relay);
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new LogboomError("ABORTED", "the opening was aborted", { cause: signal.reason });
}

function badOption(option: string, rule: string, value: unknown): LogboomError {
  return new LogboomError("BAD_CONFIG", `${option} ${rule}, got ${String(value).slice(0, 80)}`);
}

function checkPlatform(): void {
  const { isSecureContext, indexedDB, navigator, RTCPeerConnection } = globalThis as Partial<
    typeof globalThis
  >;
  if (isSecureContext === false) {
    throw new LogboomError(
      "INSECURE_CONTEXT",
      "browsers give keys and locks to secure pages only: serve this page over https or from localhost",
    );
  }
  if (RTCPeerConnection === undefined) {
    throw new LogboomError(
      "NO_WEBRTC",
      "this browser (or this kind of worker) has no WebRTC, which peers talk over",
    );
  }
  if (indexedDB === undefined || indexedDB === null) {
    throw new LogboomError(
      "NO_STORAGE",
      "this browser gives the page no IndexedDB, where the room's log is kept: leave private mode or allow storage",
    );
  }
  if (navigator?.locks === undefined) {
    throw new LogboomError(
      "NOT_SUPPORTED",
      "this browser has no Web Locks, which keep two tabs from one store",
    );
  }
}

/** The secret must not stay where it is copied, bookmarked and seen over a shoulder; it is stored by now. */
function takeOutOfAddressBar(invite: string): void {
  const { location, history } = globalThis;
  if (!location.hash.includes(invite)) return;
  history.replaceState(history.state, "", withoutInvite(location.href));
}
