/**
 * Purity: what a command must not ask its surroundings, refused while developing.
 *
 * A command runs on every replica and once more, optimistically, where it was called; whatever differs between those runs
 * (clock, randomness, network, locale) makes the replicas differ. So outside production the globals that differ are replaced
 * for as long as a command runs, by ones that throw a sentence naming what to use instead. It is a help for developers and
 * no sandbox: a function taken from the global object beforehand goes unnoticed. In production nothing is replaced.
 *
 * Runs may nest (a command's listener may run another): the first one in replaces, the last one out restores.
 */

/** Bundlers replace this expression as it stands; unbundled in a browser `process` does not exist, which counts as development. */
declare const process: { readonly env: { readonly NODE_ENV?: string } };

export function inProduction(): boolean {
  try {
    return process.env.NODE_ENV === "production";
  } catch {
    return false;
  }
}

let running = 0;
let restoreAll: () => void = () => {};

/** Calls `run`, with the impure globals replaced unless this is production. */
export function runPurely<T>(run: () => T, guarded: boolean = !inProduction()): T {
  if (!guarded) return run();
  if (running++ === 0) restoreAll = replaceGlobals();
  try {
    return run();
  } finally {
    if (--running === 0) restoreAll();
  }
}

const clock = "use ctx.now, the time that was stamped on the command";
const chance = "use ctx.random() or ctx.id(), which every replica answers alike";
const later = "a command runs once and at once; do it where room.do was called";
const locale = "it differs between devices; format where the state is shown, not in ctx's command";

/** Functions that throw when called. */
const forbiddenCalls: readonly (readonly [string, string])[] = [
  ["fetch", later],
  ["setTimeout", later],
  ["setInterval", later],
  ["setImmediate", later],
  ["queueMicrotask", later],
  ["requestAnimationFrame", later],
];

/** Objects that throw when a member is read. */
const forbiddenObjects: readonly (readonly [string, string])[] = [
  ["crypto", chance],
  ["performance", clock],
  ["Intl", locale],
];

function replaceGlobals(): () => void {
  const undo = [
    replace(globalThis, "Date", guardedDate()),
    replace(Math, "random", refusing("Math.random()", chance)),
    ...forbiddenCalls.map(([name, advice]) =>
      replace(globalThis, name, refusing(`${name}()`, advice)),
    ),
    ...forbiddenObjects.map(([name, advice]) => replace(globalThis, name, closed(name, advice))),
  ];
  return () => {
    for (const restore of undo) restore();
  };
}

/** Puts `value` in the place of `owner[name]`; the returned function undoes it. Leaves alone what is absent or locked. */
function replace(owner: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (before === undefined || before.configurable !== true) return () => {};
  const { enumerable = false } = before;
  Object.defineProperty(owner, name, { configurable: true, writable: true, enumerable, value });
  return () => {
    Object.defineProperty(owner, name, before);
  };
}

function refusing(name: string, advice: string): () => never {
  return () => {
    throw new Error(
      `${name} must not be used in a command: ${advice} (ctx is the command's third parameter)`,
    );
  };
}

function closed(name: string, advice: string): object {
  const refuse = refusing(name, advice);
  return new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse });
}

/** `Date` that makes no dates; `Date.UTC`, which is arithmetic, and `instanceof Date` work. */
function guardedDate(): unknown {
  const refuse = refusing("Date", clock);
  return new Proxy(Date, {
    apply: refuse,
    construct: refuse,
    get(target, key, receiver) {
      if (key === "now" || key === "parse") return refuse();
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
}
