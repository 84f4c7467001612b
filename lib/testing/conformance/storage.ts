/**
 * The storage suite: what every adapter of `storage/storage.ts` must do, as a plain list of cases for any test runner.
 *
 *     for (const { name, run } of storageConformance) test(name, () => run(target()));
 *
 * Each case gets a target of its own, whose openings share one fresh medium. A case resolves, or rejects with an error
 * that says what was expected.
 */
import { appending } from "./storage-appending.js";
import { bodies } from "./storage-bodies.js";
import { lives } from "./storage-lives.js";
import { opening } from "./storage-opening.js";
import { snapshots } from "./storage-snapshots.js";
import type { StorageCase } from "./storage-target.js";
import { values } from "./storage-values.js";

export type { StorageCase, StorageTarget } from "./storage-target.js";

export const storageConformance: readonly StorageCase[] = [
  ...opening,
  ...appending,
  ...snapshots,
  ...bodies,
  ...values,
  ...lives,
];
