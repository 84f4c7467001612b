/**
 * A stand-in for IndexedDB, as far as storage/indexeddb.ts uses it, on a simulated process's clock.
 *
 * What it keeps of the standard: transactions over overlapping stores wait for one another in order of creation; a transaction ends by
 * itself when nothing more is asked of it, and takes no more requests then; an abort undoes all of it; `complete` comes after the flush.
 * What a crash leaves, what fails and how long it takes is the medium's business (sim-databases.ts), opening sim-indexeddb-open.ts's.
 */
import { type Change, type Content, copyValue, type Key, SimKeyRange } from "./database-content.js";

/** What the database's medium decides. */
export interface DatabaseHost {
  /** As of everything done so far; undefined before there is a database. */
  readonly content: Content | undefined;
  /** Of all connections to the database, those that have not ended, oldest first. */
  readonly transactions: Transaction[];
  /** The first transaction has made the database. */
  create(content: Content): void;
  /** Makes one transaction durable; says so when it is, and when the page may be told; or why it is not. */
  commit(
    changes: readonly Change[],
    settle: (what: "durable" | "complete" | DOMException) => void,
  ): void;
  /** Calls `run` in a task of its own, if its process lives on. */
  soon(run: () => void): void;
}

type Listener = (event: { readonly type: string; readonly oldVersion?: number }) => void;

class Target {
  onsuccess: Listener | null = null;
  onerror: Listener | null = null;
  onblocked: Listener | null = null;
  onupgradeneeded: Listener | null = null;
  oncomplete: Listener | null = null;
  onabort: Listener | null = null;
  readonly #listeners: { readonly type: string; readonly run: Listener }[] = [];

  addEventListener(type: string, run: Listener): void {
    this.#listeners.push({ type, run });
  }

  removeEventListener(type: string, run: Listener): void {
    const at = this.#listeners.findIndex((one) => one.type === type && one.run === run);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  emit(type: string, detail: object = {}): void {
    const event = { type, ...detail };
    if (type === "success") this.onsuccess?.(event);
    else if (type === "error") this.onerror?.(event);
    else if (type === "upgradeneeded") this.onupgradeneeded?.(event);
    else if (type === "complete") this.oncomplete?.(event);
    else if (type === "abort") this.onabort?.(event);
    for (const { type: wanted, run } of [...this.#listeners]) if (wanted === type) run(event);
  }
}

export class Request extends Target {
  result: unknown;
  error: DOMException | null = null;
  transaction: Transaction | null = null;
}

type Mode = "readonly" | "readwrite" | "versionchange";

export class Transaction extends Target {
  readonly mode: Mode;
  readonly durability: string;
  readonly objectStoreNames: readonly string[];
  error: DOMException | null = null;
  readonly content: Content;
  readonly #database: Database;
  readonly #queue: { readonly request: Request; readonly run: () => unknown }[] = [];
  readonly #changes: Change[] = [];
  /** Takes back what was done, newest last. */
  readonly #undo: Change[] = [];
  #state: "waiting" | "running" | "committing" | "ended" = "waiting";
  #wantsCommit = false;
  #turning = false;
  #durable = false;

  constructor(
    database: Database,
    content: Content,
    names: readonly string[],
    mode: Mode,
    durability: string,
  ) {
    super();
    this.#database = database;
    this.content = content;
    this.objectStoreNames = names;
    this.mode = mode;
    this.durability = durability;
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  overlaps(other: Transaction): boolean {
    if (this.mode === "readonly" && other.mode === "readonly") return false;
    return this.objectStoreNames.some((name) => other.objectStoreNames.includes(name));
  }

  objectStore(name: string): ObjectStore {
    if (!this.objectStoreNames.includes(name)) {
      throw new DOMException(`${name} is not in this transaction's scope`, "NotFoundError");
    }
    return new ObjectStore(this, name);
  }

  /** It may run: those before it that touch its stores have ended. */
  begin(): void {
    if (this.#state !== "waiting") return;
    this.#state = "running";
    this.#turnSoon();
  }

  ask(run: () => unknown): Request {
    if (this.#state === "committing" || this.#state === "ended" || this.#wantsCommit) {
      throw new DOMException("the transaction is over", "TransactionInactiveError");
    }
    const request = new Request();
    request.transaction = this;
    this.#queue.push({ request, run });
    if (this.#state === "running") this.#turnSoon();
    return request;
  }

  change(change: Change): void {
    if (this.mode === "readonly") {
      throw new DOMException("the transaction only reads", "ReadOnlyError");
    }
    this.#undo.push(this.content.apply(change));
    this.#changes.push(change);
  }

  commit(): void {
    if (this.#state === "ended" || this.#state === "committing" || this.#wantsCommit) {
      throw new DOMException("the transaction is over", "InvalidStateError");
    }
    this.#wantsCommit = true;
    if (this.#state === "running") this.#turnSoon();
  }

  abort(): void {
    if (this.#state === "ended" || this.#state === "committing") {
      throw new DOMException("the transaction is over", "InvalidStateError");
    }
    this.fail(null);
  }

  /** Undoes all of it, unless it is durable already; every request that waits hears of it. */
  fail(error: DOMException | null): void {
    if (this.#state === "ended" || this.#durable) return;
    for (const change of this.#undo.reverse()) this.content.apply(change);
    this.#end();
    this.error = error;
    const waiting = this.#queue.splice(0);
    this.#database.host.soon(() => {
      for (const { request } of waiting) {
        request.error = new DOMException("the transaction was aborted", "AbortError");
        request.emit("error");
      }
      this.emit("abort");
    });
  }

  #turnSoon(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#database.host.soon(() => {
      this.#turning = false;
      this.#turn();
    });
  }

  /** Answers what was asked; when nothing new is asked thereupon, the transaction commits. */
  #turn(): void {
    if (this.#state !== "running") return;
    if (this.#queue.length === 0) {
      this.#commit();
      return;
    }
    for (const { request, run } of this.#queue.splice(0)) {
      if (this.ended) return;
      try {
        request.result = run();
      } catch (error) {
        request.error = error as DOMException;
        request.emit("error");
        this.fail(request.error);
        return;
      }
      request.emit("success");
    }
    if (!this.ended) this.#turnSoon();
  }

  #commit(): void {
    this.#state = "committing";
    if (this.#changes.length === 0) {
      this.#completed();
      return;
    }
    this.#database.host.commit(this.#changes, (what) => {
      if (this.#state !== "committing") return;
      if (what === "durable") this.#durable = true;
      else if (what === "complete") this.#completed();
      else this.fail(what);
    });
  }

  #completed(): void {
    this.#end();
    this.emit("complete");
  }

  #end(): void {
    this.#state = "ended";
    this.#database.ended(this);
  }
}

export class ObjectStore {
  readonly name: string;
  readonly #transaction: Transaction;

  constructor(transaction: Transaction, name: string) {
    this.#transaction = transaction;
    this.name = name;
  }

  get(key: Key): Request {
    return this.#ask(({ content }) => content.get(this.name, key));
  }

  put(given: unknown, key: Key): Request {
    const value = copyValue(given);
    return this.#ask((transaction) => {
      transaction.change({ store: this.name, key: copyValue(key) as Key, value });
      return key;
    });
  }

  add(given: unknown, key: Key): Request {
    const value = copyValue(given);
    return this.#ask((transaction) => {
      if (transaction.content.has(this.name, key)) {
        throw new DOMException("the key is taken", "ConstraintError");
      }
      transaction.change({ store: this.name, key: copyValue(key) as Key, value });
      return key;
    });
  }

  /** Its first step alone. */
  openCursor(range: SimKeyRange | null, direction: "next" | "prev" = "next"): Request {
    return this.#ask(({ content }) => {
      const rows = content.rows(this.name, range ?? undefined, Number.POSITIVE_INFINITY);
      return rows.at(direction === "next" ? 0 : -1) ?? null;
    });
  }

  delete(which: Key | SimKeyRange): Request {
    return this.#ask((transaction) => {
      const range = which instanceof SimKeyRange ? which : SimKeyRange.only(which);
      const rows = transaction.content.rows(this.name, range, Number.POSITIVE_INFINITY);
      for (const { key } of rows) transaction.change({ store: this.name, key, value: undefined });
    });
  }

  getAll(range?: SimKeyRange | null, count: number = Number.POSITIVE_INFINITY): Request {
    return this.#ask(({ content }) =>
      content.rows(this.name, range ?? undefined, count).map(({ value }) => value),
    );
  }

  getAllKeys(range?: SimKeyRange | null, count: number = Number.POSITIVE_INFINITY): Request {
    return this.#ask(({ content }) =>
      content.rows(this.name, range ?? undefined, count).map(({ key }) => key),
    );
  }

  #ask(run: (transaction: Transaction) => unknown): Request {
    return this.#transaction.ask(() => run(this.#transaction));
  }
}

/** One connection to the database. */
export class Database extends Target {
  readonly host: DatabaseHost;
  /** Ours, of the host's. */
  readonly #mine = new Set<Transaction>();
  #closed = false;

  constructor(host: DatabaseHost) {
    super();
    this.host = host;
  }

  get objectStoreNames(): { contains(name: string): boolean } {
    const names = this.host.content?.storeNames ?? [];
    return { contains: (name) => names.includes(name) };
  }

  transaction(
    names: readonly string[],
    mode: Mode = "readonly",
    { durability = "default" }: { readonly durability?: string } = {},
  ): Transaction {
    const { content } = this.host;
    if (this.#closed || content === undefined) {
      throw new DOMException("the database is closed", "InvalidStateError");
    }
    const transaction = new Transaction(this, content, names, mode, durability);
    this.host.transactions.push(transaction);
    this.#mine.add(transaction);
    this.host.soon(() => this.#beginAll());
    return transaction;
  }

  ended(transaction: Transaction): void {
    const { transactions } = this.host;
    this.#mine.delete(transaction);
    const at = transactions.indexOf(transaction);
    if (at >= 0) transactions.splice(at, 1);
    this.#beginAll();
  }

  #beginAll(): void {
    const { transactions } = this.host;
    transactions.forEach((transaction, at) => {
      const waits = transactions.slice(0, at).some((earlier) => earlier.overlaps(transaction));
      if (!waits) transaction.begin();
    });
  }

  /** New transactions are refused; those that run may end. */
  close(): void {
    this.#closed = true;
  }

  /** The browser takes the connection away, or asks for it: what runs is aborted in the first case, and the page is told. */
  takeAway(how: "close" | "versionchange"): void {
    if (this.#closed) return;
    if (how === "close") this.end();
    this.emit(how);
  }

  /** Its process is gone, or the connection: what was not committed never was. */
  end(): void {
    this.#closed = true;
    const lost = new DOMException("the connection was lost", "AbortError");
    for (const transaction of [...this.#mine]) transaction.fail(lost);
  }
}
