/**
 * Shared transport: several clusters of a process over one transport, one link between any two processes.
 *
 * Each cluster has a name and a transport of its own (`open`), whose frames travel behind that name. What comes for a name nobody has
 * opened here is counted and dropped. Where a transport finds peers by address, it is told those of all clusters together.
 *
 *     frame = length of the name (1) ‖ name in UTF-8 ‖ the cluster's frame
 */
import { concatBytes } from "../base/bytes.js";
import { createEmitter, type Emitter } from "../base/emitter.js";
import { LogboomError } from "../base/errors.js";
import type { NodeId } from "../core/types.js";
import { type AddressedTransport, frameBytesMax, type PeerEvent } from "./transport.js";

/** Bytes of a cluster's name. */
export const nameBytesMax = 255;

export interface SharedTransport {
  /** @throws LogboomError `BAD_INPUT`: a name that is too long, empty, or open already */
  open(name: string): AddressedTransport;
  /** Frames for clusters that are not open here. */
  readonly refused: number;
  /** Closes every cluster's transport and the one they share. */
  close(): Promise<void>;
}

interface Member {
  readonly events: Emitter<PeerEvent>;
  /** Whom this cluster wants to be linked to; undefined as long as it has not said. */
  addresses: ReadonlyMap<NodeId, string> | undefined;
  receive(from: NodeId, frame: Uint8Array): void;
}

export function shareTransport(transport: AddressedTransport): SharedTransport {
  const members = new Map<string, Member>();
  let refused = 0;
  transport.onFrame((from, frame) => {
    const length = frame[0] ?? 0;
    const name = nameOf(frame.subarray(1, 1 + length));
    const member = members.get(name);
    if (member === undefined || frame.length < 1 + length) refused += 1;
    else member.receive(from, frame.subarray(1 + length));
  });
  transport.onPeer((event) => {
    for (const { events } of members.values()) events.emit(event);
  });

  /** One that has not said yet must not lose the links it was given at the start. */
  const tellAddresses = (): void => {
    const told = [...members.values()].map(({ addresses }) => addresses);
    if (told.includes(undefined)) return;
    transport.setAddresses?.(new Map(told.flatMap((addresses) => [...(addresses ?? [])])));
  };

  const open = (name: string): AddressedTransport => {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length === 0 || encoded.length > nameBytesMax || members.has(name)) {
      throw new LogboomError(
        "BAD_INPUT",
        `a cluster's name takes 1 to ${nameBytesMax} bytes and is open once, got "${name}"`,
      );
    }
    const prefix = concatBytes(Uint8Array.of(encoded.length), encoded);
    let receive: (from: NodeId, frame: Uint8Array) => void = () => {};
    const events = createEmitter<PeerEvent>();
    const member: Member = {
      events,
      addresses: undefined,
      receive: (from, frame) => receive(from, frame),
    };
    members.set(name, member);
    const isOpen = (): boolean => members.get(name) === member;
    return {
      self: transport.self,
      send(to, frame, options) {
        if (!isOpen() || frame.length > frameBytesMax - prefix.length) return false;
        return transport.send(to, concatBytes(prefix, frame), options);
      },
      onFrame(next) {
        receive = next;
      },
      onPeer: (listener) => events.on(listener),
      setAddresses(addresses) {
        if (!isOpen()) return;
        member.addresses = addresses;
        tellAddresses();
      },
      peers: () => (isOpen() ? transport.peers() : []),
      async close() {
        if (isOpen()) {
          members.delete(name);
          if (members.size > 0) tellAddresses();
        }
        events.clear();
      },
    };
  };

  return {
    open,
    get refused() {
      return refused;
    },
    async close() {
      for (const { events } of members.values()) events.clear();
      members.clear();
      await transport.close();
    },
  };
}

function nameOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
