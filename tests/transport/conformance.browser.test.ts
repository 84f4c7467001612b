import { afterEach, describe, test } from "vitest";
import { transportConformance } from "../../lib/testing/conformance/transport.js";
import { type ClosableTarget, peerTarget } from "./targets.js";

let target: ClosableTarget | undefined;
afterEach(() => target?.close());

describe.each(["webrtc", "broadcast", "port"] as const)("transport over %s", (via) => {
  for (const { name, run } of transportConformance) {
    test(name, async () => {
      target = await peerTarget(via);
      await run(target);
    }, 30_000);
  }
});
