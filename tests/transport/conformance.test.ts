import { afterEach, describe, test } from "vitest";
import { transportConformance } from "../../lib/testing/conformance/transport.js";
import { type ClosableTarget, memoryTarget, peerTarget } from "./targets.js";
import { webSocketTarget } from "./websocket-target.js";

let target: ClosableTarget | undefined;
afterEach(() => target?.close());

describe.each([
  ["memory", async () => memoryTarget()],
  ["broadcast", () => peerTarget("broadcast")],
  ["port", () => peerTarget("port")],
  ["websocket", async () => webSocketTarget()],
] as const)("transport over %s", (_, make) => {
  for (const { name, run } of transportConformance) {
    test(name, async () => {
      target = await make();
      await run(target);
    }, 30_000);
  }
});
