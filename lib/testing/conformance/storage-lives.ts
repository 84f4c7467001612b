/** Storage suite: random lives, step by step beside the memory store; after each crash both hold the same. */
import { type Random, seededRandom } from "../../base/random.js";
import { createMemoryMedium, openMemoryStore } from "../../storage/memory.js";
import type { Loaded, OpenedStore } from "../../storage/storage.js";
import { check, same } from "./expect.js";
import {
  crash,
  entries,
  hard,
  metadata,
  noise,
  reopen,
  type StorageCase,
  snapshot,
  store,
  write,
  writeBody,
} from "./storage-target.js";

export const lives: readonly StorageCase[] = [1, 2, 3, 4, 5, 6].map((seed) => ({
  name: `a random life is the memory store's life (seed ${seed})`,
  async run(target) {
    const random = seededRandom(seed);
    const medium = createMemoryMedium();
    const model = { open: () => openMemoryStore({ medium }) };
    let ours = await store(target);
    let theirs = await store(model);
    for (let step = 0; step < 60; step++) {
      const act = nextAct(random, await theirs.opened.storage.load());
      await Promise.all([act(ours.opened), act(theirs.opened)]);
      if (random.below(6) > 0) continue;
      const renew = random.below(2) === 0 ? reopen : crash;
      ours = await renew(target, ours.opened);
      theirs = await renew(model, theirs.opened);
      sameAbove(ours.loaded, theirs.loaded);
    }
    await ours.opened.storage.close();
  },
}));

/** Equal, except that an adapter may keep more of a compacted log than it has to. */
function sameAbove(ours: Loaded, theirs: Loaded): void {
  const from = Math.max(ours.compacted.index, theirs.compacted.index);
  same(ours.snapshot, theirs.snapshot);
  same(ours.hardState, theirs.hardState);
  check(ours.compacted.index <= (ours.snapshot?.index ?? 0), "compacted at or below the snapshot");
  same(
    ours.entries.filter((entry) => entry.index > from),
    theirs.entries.filter((entry) => entry.index > from),
  );
}

function nextAct(random: Random, loaded: Loaded): (opened: OpenedStore) => Promise<void> {
  const { hardState, compacted } = loaded;
  const last = loaded.entries.at(-1) ?? compacted;
  const fixed = Math.max(hardState.commit, compacted.index);
  const term = Math.max(hardState.term, last.term, 1);
  const kind = random.below(10);
  if (kind < 5) {
    const back = random.below(3) === 0 ? random.below(last.index - fixed + 1) : 0;
    const first = last.index - back + 1;
    const added = entries(
      first,
      first + random.below(8),
      term + (back > 0 ? 1 : 0),
      random.below(90),
    );
    // A core never holds entries of a term it has not stored.
    const newest = added.at(-1)?.term ?? term;
    const hardState = newest > loaded.hardState.term ? hard(newest, 0, fixed) : undefined;
    return (opened) => opened.storage.append(write({ hardState, entries: added }));
  }
  if (kind < 7) {
    const state = hard(term + 1, random.below(4), fixed + random.below(last.index - fixed + 1));
    return (opened) => opened.storage.append(write({ hardState: state }));
  }
  if (kind === 7) {
    const installed = snapshot(last.index + 1 + random.below(5), term, noise(random, 3_000));
    const added = entries(
      installed.metadata.index + 1,
      installed.metadata.index + random.below(4),
      term,
    );
    const hardState = hard(term + 1, 0, installed.metadata.index);
    return (opened) =>
      opened.storage.append(write({ hardState, snapshot: installed, entries: added }));
  }
  const at = loaded.entries.find((entry) => entry.index === fixed);
  if (at === undefined) return async () => {};
  const upTo = compacted.index + random.below(fixed - compacted.index + 1);
  const content = noise(random, 100);
  return async (opened) => {
    await writeBody(opened.snapshots, metadata(at.index, at.term), [content]);
    await opened.storage.compact(metadata(at.index, at.term), upTo);
  };
}
