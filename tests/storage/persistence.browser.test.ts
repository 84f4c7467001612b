import { expect, test } from "vitest";
import { askForPersistence } from "../../lib/storage/persistence.js";

test("the browser is asked to keep the data, and its answer is passed on", async () => {
  const answer = await askForPersistence();
  expect(answer).toBe(await navigator.storage.persisted());
});

test("where nobody can be asked, nothing is known", async () => {
  expect(await askForPersistence(null as unknown as StorageManager)).toBeUndefined();
});
