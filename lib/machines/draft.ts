/**
 * Drafts: a command writes to its state as if it were its own, and the state it started from is untouched.
 *
 * A draft is a proxy of one object or array, made when it is first read. Reading passes through; the first write copies that one
 * container, and `tame` afterwards takes what changed and shares the rest. Written here because a draft of a replicated state
 * has to be stricter than draft libraries are (tried with immer 11, with its state tamed beforehand):
 *
 * - Only own properties exist. `cards[id]` with the id `__proto__`, `constructor` or `toString` is undefined, also in objects
 *   that the command itself has just stored, and in arrays; through immer's, such an id still reached `Object.prototype`.
 * - What a command stores is not written to afterwards: a constant of the module that was put into the state stays a constant,
 *   so a replica that restarted does not differ from one that did not.
 * - Bytes are copied when read. A Uint8Array cannot be frozen, and a rejected command must leave no trace in it.
 *
 * A state is a tree: an object stored in two places is two objects from then on.  Not here: what may be stored (values.ts).
 */
import { equalBytes } from "../base/bytes.js";
import { type Drafts, isBytes, isPlain } from "./values.js";

export interface Drafting extends Drafts {
  /** What the command writes to. */
  readonly draft: object;
  /** From here on every draft of this run refuses: something kept one beyond its command. */
  close(): void;
}

/** One run of one command. */
interface Session {
  open: boolean;
}

type Container = Record<PropertyKey, unknown>;

/** What stands behind one draft. */
interface Node {
  readonly session: Session;
  /** Never written to. */
  readonly source: Container;
  /** Made by the first write; holds the drafts of its children where they were read. */
  copy: Container | undefined;
  /** Drafts, and copies of bytes, that were read while there was no copy. */
  readonly children: Map<PropertyKey, object>;
}

const nodes = new WeakMap<object, Node>();
/** Working copies, made by `writable` and known to nobody else. */
const copies = new WeakSet<object>();
/** From the copy of bytes that a command got to the bytes themselves. */
const bytesSources = new WeakMap<object, Uint8Array>();

/** @param base  a plain object or an array */
export function openDraft(base: object): Drafting {
  const session: Session = { open: true };
  return {
    draft: createDraft(session, base),
    unwrap: (value) => unwrap(session, value),
    isOwn: (value) => copies.has(value),
    close() {
      session.open = false;
    },
  };
}

function createDraft(session: Session, source: object): object {
  const node: Node = {
    session,
    source: source as Container,
    copy: undefined,
    children: new Map(),
  };
  // The target is only there to be an array or not; every trap looks at the node.
  const isArray = Array.isArray(source);
  const draft = new Proxy(isArray ? [] : {}, isArray ? arrayTraps(node) : objectTraps(node));
  nodes.set(draft, node);
  return draft;
}

/** The working copy behind a draft, or its source when nothing in it changed; other values as they are. */
function unwrap(session: Session, value: object): object {
  const bytes = bytesSources.get(value);
  if (bytes !== undefined) return equalBytes(bytes, value as Uint8Array) ? bytes : value;
  const node = nodes.get(value);
  if (node === undefined) return value;
  if (node.session !== session) throw new Error("a draft of an earlier command cannot be stored");
  return isChanged(node) ? writable(node) : node.source;
}

function isChanged(node: Node): boolean {
  if (node.copy !== undefined) return true;
  for (const child of node.children.values()) {
    const below = nodes.get(child);
    if (below !== undefined ? isChanged(below) : unwrap(node.session, child) === child) return true;
  }
  return false;
}

/** The node's contents as they are now. */
function latest(node: Node): Container {
  if (!node.session.open) throw new Error("a draft was used after its command ended");
  return node.copy ?? node.source;
}

/** The node's own copy, made if need be; drafts that were handed out take their places in it. */
function writable(node: Node): Container {
  if (node.copy === undefined) {
    const { source, children } = node;
    node.copy = Array.isArray(source) ? (source.slice() as unknown as Container) : copyOf(source);
    copies.add(node.copy);
    for (const [key, child] of children) node.copy[key] = child;
    children.clear();
  }
  return node.copy;
}

/** (Object.assign takes several times as long on a map of thousands.) */
function copyOf(source: Container): Container {
  const copy = Object.create(null) as Container;
  for (const key of Object.keys(source)) copy[key] = source[key];
  return copy;
}

/** What reading `key` gives: containers as drafts, always the same one. */
function read(node: Node, key: PropertyKey): unknown {
  const contents = latest(node);
  if (!Object.hasOwn(contents, key)) return undefined;
  const known = node.children.get(key);
  if (known !== undefined) return known;
  const value = contents[key];
  if (typeof value !== "object" || value === null || nodes.has(value)) return value;
  const child = handOut(node.session, value);
  if (child === value) return value;
  if (node.copy === undefined) node.children.set(key, child);
  else node.copy[key] = child;
  return child;
}

function handOut(session: Session, value: object): object {
  if (bytesSources.has(value)) return value;
  if (isBytes(value)) {
    const copy = new Uint8Array(value);
    bytesSources.set(copy, value);
    return copy;
  }
  // Dates, maps and instances are given as they are: `tame` will refuse them with their path.
  return Array.isArray(value) || isPlain(value) ? createDraft(session, value) : value;
}

function write(node: Node, key: PropertyKey, value: unknown): boolean {
  if (typeof key === "symbol") throw new TypeError("a state cannot have a symbol as key");
  if (key === "__proto__") throw new TypeError('a state cannot have a property named "__proto__"');
  const same = Object.hasOwn(latest(node), key) && Object.is(read(node, key), value);
  return same || Reflect.set(writable(node), key, value);
}

function objectTraps(node: Node): ProxyHandler<object> {
  return {
    get: (_target, key) => read(node, key),
    has: (_target, key) => Object.hasOwn(latest(node), key),
    set: (_target, key, value) => write(node, key, value),
    deleteProperty(_target, key) {
      return !Object.hasOwn(latest(node), key) || Reflect.deleteProperty(writable(node), key);
    },
    ownKeys: () => Reflect.ownKeys(latest(node)),
    getOwnPropertyDescriptor(_target, key) {
      const property = Object.getOwnPropertyDescriptor(latest(node), key);
      // As if everything could be changed, whether or not the source is frozen; only an array's length says no.
      const configurable = key !== "length" || !Array.isArray(node.source);
      return property && { ...property, value: read(node, key), writable: true, configurable };
    },
    getPrototypeOf: () => null,
    defineProperty: () => refuse("Object.defineProperty"),
    setPrototypeOf: () => refuse("Object.setPrototypeOf"),
    preventExtensions: () => refuse("Object.freeze"),
  };
}

function refuse(what: string): never {
  throw new TypeError(`${what} cannot be used on a state`);
}

function arrayTraps(node: Node): ProxyHandler<object> {
  return {
    ...objectTraps(node),
    get(_target, key) {
      if (typeof key === "symbol") return Reflect.get(Array.prototype, key);
      return Object.hasOwn(latest(node), key) ? read(node, key) : methods().get(key);
    },
    getPrototypeOf: () => Array.prototype,
  };
}

type Method = (this: object, ...args: unknown[]) => unknown;

let arrayMethods: ReadonlyMap<string, Method> | undefined;

/**
 * The methods of arrays, as frozen functions of our own: `list[key].x = 1` with `map` as the key must not write to every array
 * of the page. Built at the first use.
 */
function methods(): ReadonlyMap<string, Method> {
  arrayMethods ??= new Map(
    Object.getOwnPropertyNames(Array.prototype).flatMap((name): [string, Method][] => {
      const method = (Array.prototype as unknown as Container)[name];
      if (name === "constructor" || typeof method !== "function") return [];
      return [[name, Object.freeze(byIdentity.has(name) ? searching(method) : calling(method))]];
    }),
  );
  return arrayMethods;
}

// biome-ignore lint/complexity/noBannedTypes: one of Array.prototype's.
function calling(method: Function): Method {
  return function (...args) {
    return Reflect.apply(method, this, args) as unknown;
  };
}

const byIdentity: ReadonlySet<string> = new Set(["includes", "indexOf", "lastIndexOf"]);

/** Search by identity: an object that was stored is found by itself and by its draft. */
// biome-ignore lint/complexity/noBannedTypes: one of Array.prototype's.
function searching(method: Function): Method {
  return function (item, ...rest) {
    const sources = Array.from(this as ArrayLike<unknown>, sourceOf);
    return Reflect.apply(method, sources, [sourceOf(item), ...rest]) as unknown;
  };
}

function sourceOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return nodes.get(value)?.source ?? bytesSources.get(value) ?? value;
}
