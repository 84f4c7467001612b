import { describe, test } from "vitest";
import { createMemoryMedium, openMemoryStore } from "../../lib/storage/memory.js";
import { storageConformance } from "../../lib/testing/conformance/storage.js";

describe("memory store", () => {
  test.each(storageConformance)("$name", async ({ run }) => {
    const medium = createMemoryMedium();
    await run({ open: (options) => openMemoryStore({ ...options, medium }) });
  });
});
