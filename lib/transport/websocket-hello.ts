/**
 * Hello: the first message each side of a WebSocket link sends: which cluster, who, to whom, since when, and where it can be reached.
 *
 *     magic (4) ‖ version ‖ lowest version understood ‖ cluster ‖ from ‖ to (0: whoever answers) ‖ boot (8) ‖ address ("": none)
 */
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type { NodeId } from "../core/types.js";

export interface Hello {
  readonly cluster: string;
  readonly from: NodeId;
  /** Whom the dialling side believes to reach; 0 in an answer. */
  readonly to: NodeId;
  /** Drawn at each opening: tells a node that was restarted from one that dialled twice. */
  readonly boot: number;
  readonly address: string;
}

/** "LBWS" */
const magic = 0x4c425753;
/** Raised with every change of what follows the hello; the second one when older peers can no longer be talked to. */
const version = 1;
const versionMin = 1;

export function encodeHello({ cluster, from, to, boot, address }: Hello): Uint8Array<ArrayBuffer> {
  return wire.message(
    wire.u32(magic),
    wire.u8(version),
    wire.u8(versionMin),
    wire.text(cluster),
    wire.u53(from),
    wire.u53(to),
    wire.u53(boot),
    wire.text(address),
  );
}

/** @throws DecodeError, also for a version that cannot be talked to */
export function decodeHello(bytes: Uint8Array): Hello {
  const reader = new wire.WireReader(bytes);
  if (reader.u32() !== magic) throw new DecodeError("not a hello");
  const [theirs, theirMin] = [reader.u8(), reader.u8()];
  if (theirs < versionMin || theirMin > version) {
    throw new DecodeError(
      `the peer speaks versions ${theirMin} to ${theirs}, this one ${versionMin} to ${version}`,
    );
  }
  const hello = {
    cluster: reader.text(),
    from: reader.u53(),
    to: reader.u53(),
    boot: reader.u53(),
    address: reader.text(),
  };
  // What a later version adds stands behind, and is not ours to understand.
  if (theirs === version) reader.end();
  if (hello.from === 0) throw new DecodeError("a hello from nobody");
  return hello;
}

/** Why a link with this hello must not be; undefined if it may. */
export function objection(hello: Hello, self: NodeId, cluster: string): string | undefined {
  if (hello.cluster !== cluster) return `wrong cluster: ${hello.cluster}, not ${cluster}`;
  if (hello.from === self) return `a peer with this node's own id, ${self}`;
  if (hello.to !== 0 && hello.to !== self) return `meant for node ${hello.to}, this is ${self}`;
  return undefined;
}
