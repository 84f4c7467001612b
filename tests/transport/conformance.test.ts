import { afterEach, describe, test } from "vitest";
import { transportConformance } from "../../lib/testing/conformance/transport.js";
import { shareTransport } from "../../lib/transport/shared.js";
import type { Transport } from "../../lib/transport/transport.js";
import { type ClosableTarget, memoryTarget, peerTarget } from "./targets.js";
import { webSocketTarget } from "./websocket-target.js";

/** One cluster of several over each peer's transport. */
function sharedTarget(under: ClosableTarget): ClosableTarget {
  const share = (transport: Transport): Transport => {
    const shared = shareTransport(transport);
    shared.open("another");
    const own = shared.open("this one");
    return { ...own, close: () => own.close().then(() => shared.close()) };
  };
  return {
    ...under,
    open: async () => share(await under.open()),
    reopen: async (closed) => share(await under.reopen(closed)),
  };
}

let target: ClosableTarget | undefined;
afterEach(() => target?.close());

describe.each([
  ["memory", async () => memoryTarget()],
  ["memory, shared by clusters", async () => sharedTarget(memoryTarget())],
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
