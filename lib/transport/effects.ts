/** Effects: what signaling decides and the shell (fallback.ts) carries out. */
import type { NodeId } from "../core/types.js";
import type { Session, Signal } from "./session.js";
import type { Address, WayName } from "./way.js";

export type Effect =
  | {
      readonly type: "send";
      readonly way: WayName;
      readonly address: Address;
      readonly envelope: Uint8Array;
    }
  /** Start a channel and report its signals (`localSignal`) and its end (`opened`, `failed`). */
  | { readonly type: "dial"; readonly session: Session }
  /** The same on the other side; the offer is the first signal. */
  | { readonly type: "accept"; readonly session: Session; readonly offer: Uint8Array }
  | { readonly type: "signal"; readonly session: Session; readonly signal: Signal }
  /** Give the attempt up; not to be reported back. */
  | { readonly type: "abandon"; readonly session: Session; readonly reason: string }
  | { readonly type: "known"; readonly peer: NodeId }
  /** The peer's boot has ended: its links are dead. */
  | { readonly type: "gone"; readonly peer: NodeId; readonly reason: string };
