/**
 * Opening a database of the stand-in for IndexedDB, and the names under which the package idb knows what it is given.
 *
 * The globals are set where there are none: this runs where there is no IndexedDB.
 */
import { LogboomError } from "../base/errors.js";
import { Content, SimKeyRange } from "./database-content.js";
import { Database, type DatabaseHost, ObjectStore, Request, Transaction } from "./sim-indexeddb.js";

/** Answers `indexedDB.open`; a database that is not there yet is made in one transaction. */
export function openSimDatabase(host: DatabaseHost, opened: (database: Database) => void): Request {
  const request = new Request();
  const succeed = (): void => {
    const database = new Database(host);
    opened(database);
    request.result = database;
    request.emit("success");
  };
  host.soon(() => {
    if (host.content === undefined) makeDatabase(host, request, succeed);
    else succeed();
  });
  return request;
}

function makeDatabase(host: DatabaseHost, request: Request, made: () => void): void {
  const content = new Content();
  const names: string[] = [];
  const database = new Database({
    content,
    transactions: [],
    create() {},
    soon: (run) => host.soon(run),
    commit(_changes, settle) {
      host.create(content);
      settle("durable");
      settle("complete");
    },
  });
  const upgrade = new Transaction(database, content, names, "versionchange", "strict");
  request.transaction = upgrade;
  request.result = {
    createObjectStore(name: string): void {
      content.createStore(name);
      names.push(name);
    },
  };
  upgrade.addEventListener("complete", made);
  request.emit("upgradeneeded", { oldVersion: 0 });
  upgrade.begin();
}

/** Sets the names by which the package idb knows what it is given, where the platform has none. @throws LogboomError `NOT_SUPPORTED` */
export function installNames(): void {
  const platform = globalThis as unknown as Record<string, unknown>;
  if (platform["IDBDatabase"] === Database) return;
  if (platform["IDBDatabase"] !== undefined) {
    const text = "the stand-in for IndexedDB runs only where the platform has none, as in Node";
    throw new LogboomError("NOT_SUPPORTED", text);
  }
  Object.assign(platform, {
    IDBRequest: Request,
    IDBTransaction: Transaction,
    IDBObjectStore: ObjectStore,
    IDBDatabase: Database,
    IDBIndex: class {},
    // Never made here; idb looks for these methods.
    IDBCursor: class {
      advance(): void {}
      continue(): void {}
      continuePrimaryKey(): void {}
    },
    IDBKeyRange: SimKeyRange,
  });
}
