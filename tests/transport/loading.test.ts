import { expect, test } from "vitest";

// Alone in its file: nothing may have been loaded before.
test("loading the transport looks for neither WebRTC nor IndexedDB nor a socket", async () => {
  const touched: string[] = [];
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "indexedDB", "WebSocket"]) {
    Object.defineProperty(globalThis, name, { get: () => void touched.push(name) });
  }
  await import("../../lib/security/peer-transport.js");
  expect(touched).toEqual([]);
  const simplePeer = "simple-peer/simplepeer.min.js";
  await import(/* @vite-ignore */ simplePeer); // which does: the trap works
  expect(touched).not.toEqual([]);
});
