/**
 * SimDatabases: the real IndexedDB adapter (storage/indexeddb.ts) over a stand-in for its database.
 *
 * A strict transaction is durable when it completes, by chance a little earlier; a crash takes back what had not got as far. A flush that
 * lies leaves transactions in the browser's memory, of which a crash keeps the first ones. Chromium's own checksums find damage to
 * its files and answer it by deleting the database, which is another fault (`wipe`); what rots here are bytes of batches and bodies.
 */

import { openIndexedDbStore } from "../storage/indexeddb.js";
import type { OpenedStore, StoreOpenOptions } from "../storage/storage.js";
import type { Change, Content } from "./database-content.js";
import type { Database, DatabaseHost, Transaction } from "./sim-indexeddb.js";
import { installNames, openSimDatabase } from "./sim-indexeddb-open.js";
import { type Backup, SimMedium } from "./sim-medium.js";
import { chance, exponential } from "./sim-options.js";
import type { SimProcess } from "./sim-process.js";

export class SimDatabases extends SimMedium {
  #current: Content | undefined;
  #durable: Content | undefined;
  /** Completed, and still in the browser's memory. */
  #unflushed: (readonly Change[])[] = [];
  #transactions: Transaction[] = [];
  #connections: { readonly process: SimProcess; readonly database: Database }[] = [];

  async open(process: SimProcess, options: StoreOpenOptions): Promise<OpenedStore> {
    installNames();
    const { random } = this.options;
    const host = this.#host(process);
    const open = (): unknown =>
      openSimDatabase(host, (database) => this.#connections.push({ process, database }));
    return await openIndexedDbStore({
      ...options,
      name: "logboom",
      indexedDB: { open } as unknown as IDBFactory,
      randomBytes: (length) => new Uint8Array(length).map(() => random.below(256)),
    });
  }

  /** The browser takes the connection of `process` away, or asks for it. */
  override takeAway(process: SimProcess, how: "close" | "versionchange"): boolean {
    const mine = this.#connections.filter((each) => each.process === process);
    for (const { database } of mine) database.takeAway(how);
    return mine.length > 0;
  }

  override ended(process: SimProcess): void {
    for (const each of this.#connections) if (each.process === process) each.database.end();
    this.#connections = this.#connections.filter((each) => each.process !== process);
  }

  backUp(): Backup {
    return { image: this.kept.copy(), content: this.#durable?.copy() };
  }

  restore({ content }: Backup): void {
    this.#durable = (content as Content | undefined)?.copy();
    this.#current = this.#durable?.copy();
  }

  rot(): void {
    const { random } = this.options;
    const content = this.#durable?.apart();
    if (content === undefined) return;
    const found = content.bytesIn(["log", "chunks"]);
    const bytes = found[random.below(Math.max(1, found.length))];
    if (bytes === undefined) return;
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    this.#durable = content;
    this.#current = content.copy();
  }

  protected flushAll(): void {
    for (const changes of this.#unflushed.splice(0)) this.#apply(changes);
  }

  protected lose(survives: number): void {
    for (const changes of this.#unflushed.splice(0)) {
      if (!chance(this.options.random, survives)) break;
      this.#apply(changes);
    }
    this.#current = this.#durable?.copy();
    this.#transactions = [];
    this.#connections = [];
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) this.#durable?.apply(change);
  }

  #host(process: SimProcess): DatabaseHost {
    const medium = this;
    return {
      get content() {
        return medium.#current;
      },
      get transactions() {
        return medium.#transactions;
      },
      create(content) {
        medium.#current = content;
        medium.#durable = content.copy();
      },
      commit: (changes, settle) => this.#commit(process, changes, settle),
      soon: (run) => process.after(0, run),
    };
  }

  #commit(
    process: SimProcess,
    changes: readonly Change[],
    settle: Parameters<DatabaseHost["commit"]>[1],
  ): void {
    const { random, meanMs } = this.options;
    const ms = (meanMs === 0 ? 0 : exponential(random, meanMs)) + this.slowMs;
    if (this.failNext) {
      this.failNext = false;
      this.failing = true;
      const name = random.below(2) === 0 ? "QuotaExceededError" : "UnknownError";
      this.options.sometimes(`database says ${name}`);
      process.after(ms, () => settle(new DOMException("as the browser says it", name)));
      return;
    }
    const durable = (): void => {
      this.#flush(changes);
      settle("durable");
    };
    const early = chance(random, 0.5);
    if (early) durable();
    process.after(ms, () => {
      if (!early) durable();
      settle("complete");
    });
  }

  #flush(changes: readonly Change[]): void {
    this.#unflushed.push(changes);
    if (this.lieNext) {
      this.lieNext = false;
      this.lie ??= this.flushed.copy();
      this.options.sometimes("a flush lied");
      return;
    }
    this.flushAll();
    this.lie = undefined;
  }
}
