import { describe, test } from "vitest";
import { openOpfsStore } from "../../lib/storage/opfs.js";
import { storageConformance } from "../../lib/testing/conformance/storage.js";

let counter = 0;

describe("OPFS store", () => {
  test.each(storageConformance)("$name", async ({ run }) => {
    const name = `conformance/${counter++}`;
    let started: Worker | undefined;
    const worker = (): Worker => {
      started = new Worker(new URL("../../lib/storage/opfs-worker.ts", import.meta.url), {
        type: "module",
      });
      return started;
    };
    await run({
      open: ({ randomBytes: _, ...options } = {}) => openOpfsStore({ ...options, name, worker }),
      // A page that is killed takes its worker with it.
      abandon: async () => started?.terminate(),
    });
  });
});
