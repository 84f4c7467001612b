/** Storage suite: small values beside the log. */
import { rejects, same } from "./expect.js";
import { bytes, crash, reopen, type StorageCase, store } from "./storage-target.js";

export const values: readonly StorageCase[] = [
  {
    name: "small values are kept, replaced and removed",
    async run(target) {
      const { opened } = await store(target);
      same(await opened.meta.get("secret"), undefined);
      await opened.meta.set("secret", bytes(1, 2));
      await opened.meta.set("other/ключ", new Uint8Array(0));
      await opened.meta.set("secret", bytes(3));
      const { opened: after } = await crash(target, opened);
      same(await after.meta.get("secret"), bytes(3));
      same(await after.meta.get("other/ключ"), new Uint8Array(0));
      await after.meta.set("secret", undefined);
      const again = await reopen(target, after);
      same(await again.opened.meta.get("secret"), undefined);
      await again.opened.storage.close();
    },
  },
  {
    name: "a value or key that is too large is refused, and the store goes on",
    async run(target) {
      const { opened } = await store(target);
      await opened.meta.set("k".repeat(256), new Uint8Array(1024 * 1024).fill(7));
      await rejects("BAD_INPUT", () => opened.meta.set("k", new Uint8Array(1024 * 1024 + 1)));
      await rejects("BAD_INPUT", () => opened.meta.set("k".repeat(257), bytes(1)));
      await rejects("BAD_INPUT", () => opened.meta.set("", bytes(1)));
      same((await opened.meta.get("k".repeat(256)))?.length, 1024 * 1024);
      await opened.storage.close();
    },
  },
];
