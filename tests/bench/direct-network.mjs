/**
 * A network within one process, as fast as a task each way: frames sent in one turn arrive together in the next.
 */
import { setImmediate } from "node:timers";

/** @typedef {import("../../dist/transport/transport.js").Transport} Transport */
/** @typedef {(from: number, frame: Uint8Array) => void} Receive */

export function createDirectNetwork() {
  /** @type {Map<number, { receive: Receive, inbox: [number, Uint8Array][] }>} */
  const ends = new Map();
  return {
    /** @param {number} self @returns {Transport} */
    open(self) {
      const end = {
        receive: /** @type {Receive} */ (() => {}),
        inbox: /** @type {[number, Uint8Array][]} */ ([]),
      };
      ends.set(self, end);
      return {
        self,
        send(to, frame) {
          const other = ends.get(to);
          if (other === undefined) return false;
          if (other.inbox.length === 0) setImmediate(() => drain(other));
          other.inbox.push([self, frame]);
          return true;
        },
        onFrame(receive) {
          end.receive = receive;
        },
        onPeer: () => () => {},
        peers: () => [...ends.keys()].filter((id) => id !== self),
        async close() {
          ends.delete(self);
        },
      };
    },
  };
}

/** @param {{ receive: Receive, inbox: [number, Uint8Array][] }} end */
function drain(end) {
  const frames = end.inbox;
  end.inbox = [];
  for (const [from, frame] of frames) end.receive(from, frame);
}
