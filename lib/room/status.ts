/** Status: what a page tells its user about the room, derived anew from the peers it runs. */
import type { NodeId } from "../core/types.js";
import type { Contact } from "./contacts.js";
import type { RoomEngine } from "./engine.js";
import { confStateIds, type Member } from "./members.js";
import type { RoomPeer } from "./peer.js";
import type { Peer, RoomStatus } from "./types.js";

export interface StatusSources {
  readonly relay: RoomStatus["relay"];
  readonly persisted: boolean | undefined;
  readonly iceFailed: boolean;
}

export function statusOf<S>(engine: RoomEngine<S>, sources: StatusSources): RoomStatus {
  const own = engine.own;
  const { term, commit, applied } = own.node.status();
  const { voters, votersOutgoing, learners, learnersNext } = own.confState;
  const leader = engine.halted === undefined ? own.leader : undefined;
  return {
    role: roleOf(own, own.id),
    leader,
    term,
    commit,
    applied,
    voters: [...new Set([...voters, ...votersOutgoing])],
    learners: [...new Set([...learners, ...learnersNext])],
    quorum: leader === undefined ? "lost" : "ok",
    waitingFor: leader === undefined ? waitingFor(engine) : [],
    relay: sources.relay,
    turnNeeded: sources.iceFailed,
    connected: own.contacts.linked().filter(isHere).length,
    durability: profiles(own, voters),
    storage: { kind: "indexeddb", persisted: sources.persisted },
    refused: [own, ...engine.adopted].reduce((sum, peer) => sum + peer.refused, 0),
    halted: engine.halted,
  };
}

/** Every peer that is linked or belongs to the room, by id. */
export function peersOf<S>(engine: RoomEngine<S>): Peer[] {
  const own = engine.own;
  const ids = new Set<NodeId>([own.id, ...confStateIds(own.confState)]);
  for (const contact of own.contacts.linked()) if (contact.hello !== undefined) ids.add(contact.id);
  return [...ids].sort((a, b) => a - b).map((id) => peerOf(engine, id));
}

export function peerOf<S>(engine: RoomEngine<S>, id: NodeId): Peer {
  const own = engine.own;
  const self = id === own.id;
  const contact = own.contacts.get(id);
  const member = memberOf(own, id);
  const here = engine.adopted.some((peer) => peer.id === id);
  return {
    id,
    name: member?.name ?? "",
    author: member?.author ?? "",
    self,
    role: roleOf(own, id),
    connected: self || here || isHere(contact),
    via: contact?.via,
    adopted: here || (contact?.via !== undefined && contact.hello?.adopted === true),
  };
}

/** Linked, and not on its way out: a closed tab's channel looks open for some seconds. */
function isHere(contact: Contact | undefined): boolean {
  return contact?.via !== undefined && contact.goodbyeAt === undefined;
}

function memberOf<S>(own: RoomPeer<S>, id: NodeId): Member | undefined {
  if (id === own.id) return own.member;
  return own.contacts.get(id)?.hello?.member ?? own.replicated.table.members.get(id);
}

function roleOf<S>(own: RoomPeer<S>, id: NodeId): Peer["role"] {
  if (own.leader === id) return "leader";
  const { voters, votersOutgoing, learners, learnersNext } = own.confState;
  if (voters.includes(id) || votersOutgoing.includes(id)) return "voter";
  return learners.includes(id) || learnersNext.includes(id) ? "learner" : "joining";
}

/** The voters that are not here, by the name of their device. */
function waitingFor<S>(engine: RoomEngine<S>): { name: string; peers: number }[] {
  const own = engine.own;
  const counts = new Map<string, number>();
  for (const id of new Set([...own.confState.voters, ...own.confState.votersOutgoing])) {
    if (peerOf(engine, id).connected) continue;
    const name = memberOf(own, id)?.name ?? "";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, peers]) => ({ name, peers }));
}

function profiles<S>(own: RoomPeer<S>, voters: readonly NodeId[]): number {
  return new Set(voters.map((id) => memberOf(own, id)?.author ?? String(id))).size;
}
