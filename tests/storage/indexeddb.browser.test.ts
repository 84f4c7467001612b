import { describe, test } from "vitest";
import { openIndexedDbStore } from "../../lib/storage/indexeddb.js";
import { storageConformance } from "../../lib/testing/conformance/storage.js";

let counter = 0;

describe("IndexedDB store", () => {
  test.each(storageConformance)("$name", async ({ run }) => {
    const name = `conformance/${counter++}`;
    await run({ open: (options) => openIndexedDbStore({ ...options, name }) });
  });
});
