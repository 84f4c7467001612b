/** Storage suite: opening a store, its identity, its owner, and that it did not go back. */
import { isLogboomError } from "../../base/errors.js";
import type { OpenedStore } from "../../storage/storage.js";
import { check, rejects, same } from "./expect.js";
import {
  crash,
  entries,
  hard,
  reopen,
  type StorageCase,
  shown,
  store,
  write,
} from "./storage-target.js";

export const opening: readonly StorageCase[] = [
  {
    name: "a fresh store is empty, created, and in its first boot",
    async run(target) {
      const { opened, loaded } = await store(target);
      same(shown(loaded), {
        hardState: hard(0, 0, 0),
        snapshot: undefined,
        compacted: { index: 0, term: 0 },
        entries: [],
      });
      const { created, boot, storeId, signSeed } = opened.identity;
      same(
        { created, boot, id: storeId.length, seed: signSeed.length },
        {
          created: true,
          boot: 1,
          id: 16,
          seed: 32,
        },
      );
      await opened.storage.close();
    },
  },
  {
    name: "a reopened store has its identity again, and a higher boot",
    async run(target) {
      const first = await store(target);
      const second = await reopen(target, first.opened);
      const third = await crash(target, second.opened);
      same(third.opened.identity, { ...first.opened.identity, boot: 3, created: false });
      await third.opened.storage.close();
    },
  },
  {
    name: "two openings never both write: the earlier loses the store, or keeps it from the later",
    async run(target) {
      const { opened: earlier } = await store(target);
      let later: OpenedStore;
      try {
        later = await target.open();
      } catch (error) {
        check(isLogboomError(error) && error.code === "STORAGE_LOCKED", "the later is locked out");
        await earlier.storage.append(write({ entries: entries(1, 1, 1) }));
        await earlier.storage.close();
        return;
      }
      await later.storage.load();
      const told: Error[] = [];
      earlier.onLost((error) => told.push(error));
      const late = write({ entries: entries(1, 1, 1) });
      await rejects("STORAGE_LOCKED", () => earlier.storage.append(late));
      await rejects("STORAGE_LOCKED", () => earlier.storage.append(late));
      same(told.length, 1);
      await later.storage.append(write({ entries: entries(1, 2, 2) }));
      const { opened, loaded } = await reopen(target, later);
      same(loaded.entries, entries(1, 2, 2));
      await opened.storage.close();
    },
  },
  {
    name: "a closed store refuses everything, and can be closed again",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.close();
      await opened.storage.close();
      await rejects("CLOSED", () => opened.storage.append(write({ entries: entries(1, 1, 1) })));
      await rejects("CLOSED", () => opened.meta.get("a"));
      await rejects("CLOSED", () => opened.snapshots.list());
    },
  },
  {
    name: "what was acknowledged is demanded from the next opening, and less is refused",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(2, 3, 1), entries: entries(1, 4, 2) }));
      const acknowledged = opened.acknowledged();
      same(acknowledged.states, [{ term: 2, vote: 3, lastIndex: 4, lastTerm: 2 }]);
      await opened.storage.close();
      const again = await target.open({ notBelow: acknowledged });
      await again.storage.close();
      const more = {
        ...acknowledged,
        boot: again.identity.boot,
        states: [{ term: 2, vote: 3, lastIndex: 5, lastTerm: 2 }],
      };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: more }));
      const foreign = { ...acknowledged, storeId: new Uint8Array(16) };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: foreign }));
      const future = { ...acknowledged, boot: 1_000 };
      await rejects("STORE_WENT_BACK", () => target.open({ notBelow: future }));
    },
  },
  {
    name: "a store that is refused for what it lacks is refused again, and is as it was",
    async run(target) {
      const { opened } = await store(target);
      await opened.storage.append(write({ hardState: hard(2, 3, 1), entries: entries(1, 4, 2) }));
      const acknowledged = opened.acknowledged();
      await opened.storage.close();
      const states = [{ term: 2, vote: 3, lastIndex: 5, lastTerm: 2 }];
      for (const _ of [1, 2, 3]) {
        await rejects("STORE_WENT_BACK", () =>
          target.open({ notBelow: { ...acknowledged, states } }),
        );
      }
      const again = await target.open({ notBelow: acknowledged });
      same(again.identity.boot, opened.identity.boot + 1);
      same((await again.storage.load()).entries, entries(1, 4, 2));
      await again.storage.close();
    },
  },
];
