/**
 * What is done to real stores: rolled back, copied, opened twice, flushes that lie, bits that rot, a database that is taken away.
 *
 * Damage that takes acknowledged entries away keeps to the atlas rule (atlas.ts). Whatever becomes of it must be one of three: nothing is
 * lost, the store is refused and its identity given up, or the node goes on with less and harms nobody.
 */
import { type Arena, type CarryOut, isExpendable } from "./arena.js";
import type { SimPeer } from "./node-world.js";
import { Image } from "./record-disk.js";
import { RuntimeNode } from "./runtime-node.js";
import type { laterFaultKinds } from "./sim-options.js";

type StoreFault = Extract<
  (typeof laterFaultKinds)[number],
  "rollBack" | "clone" | "lyingFlush" | "bitRot" | "takeDatabase"
>;

export const storeFaults: Readonly<Record<StoreFault, CarryOut>> = {
  rollBack: (arena, node, { ms, draws }) =>
    withStore(node, (real) => rollBack(arena, real, ms, (draws[0] ?? 0) % 2 === 0)),
  clone: (arena, node, { ms, draws }) =>
    withStore(node, (real) => {
      // Who is heard no more must not be needed; without generations nobody keeps the two apart.
      const allowed = arena.options.network.generations && isExpendable(arena, node);
      if (!allowed || node.frozen || node.core === undefined) return;
      const copy = arena.options.environment === "files" || (draws[0] ?? 0) % 4 === 0;
      // A copy lacks what a flush lied about, which is a fault of its own.
      if (copy && real.medium.lies) return;
      arena.sometimes(copy ? "store cloned" : "store opened twice");
      real.doubleUp(copy, ms);
      // What the two may have done to one store shows when it is opened again.
      const { medium } = real;
      arena.after(ms, () => {
        if (!copy && real.medium === medium && !arena.network.calm) goDown(arena, real, 1, ms / 4);
      });
    }),
  lyingFlush: (arena, node, { ms }) =>
    withStore(node, (real) => {
      real.medium.lieNext = true;
      const { life } = node;
      arena.after(ms / 3, () => {
        if (node.life === life && !arena.network.calm) goDown(arena, real, 0, ms);
      });
    }),
  bitRot: (arena, node, { ms }) =>
    withStore(node, (real) => {
      if (!isExpendable(arena, node) || !node.running) return;
      const { medium } = real;
      goDown(arena, real, 1, ms);
      const bare = new Image();
      bare.hardState = medium.flushed.hardState;
      if (!arena.mayFallBack(node.id, medium.flushed, bare)) return;
      arena.sometimes("bits rotted");
      medium.rot();
      medium.rotten = true;
      medium.suspect = "bit rot";
    }),
  takeDatabase: (_arena, node, { draws }) =>
    withStore(node, (real) => {
      real.loseConnection((draws[0] ?? 0) % 2 === 0 ? "close" : "versionchange");
    }),
};

function withStore(node: SimPeer, act: (real: RuntimeNode) => void): void {
  if (node instanceof RuntimeNode) act(node);
}

/** The machine goes down, and comes back after `ms`. */
function goDown(arena: Arena, node: RuntimeNode, survives: number, ms: number): void {
  node.crash(survives);
  arena.after(ms, () => {
    if (!node.running && !arena.network.calm) node.start();
  });
}

/** @param known  whoever opens it again knows what it had acknowledged: then it must be refused if it has less */
function rollBack(arena: Arena, node: RuntimeNode, ms: number, known: boolean): void {
  const { medium, id } = node;
  if (!node.running || node.core === undefined) return;
  const backup = medium.backUp();
  arena.after(ms, () => {
    if (node.medium !== medium || arena.network.calm || medium.suspect !== undefined) return;
    if (known && (!isExpendable(arena, node) || medium.acknowledged === undefined)) return;
    if (!known && !arena.mayFallBack(id, medium.flushed, backup.image)) return;
    node.crash(1);
    medium.restore(backup);
    arena.sometimes(known ? "store rolled back under a witness" : "store rolled back");
    if (known) medium.replaced = true;
    else medium.suspect = "an older copy";
    node.knowsWhatItHad = known;
    node.start();
  });
}
