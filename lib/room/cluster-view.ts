/** What the leader's autopilot is told of a room's peers: whom this peer knows, how long each is silent, and who has caught up. Pure. */
import type { ClusterView, PeerView } from "../autopilot/rules.js";
import type { PeerStatus } from "../core/raw-node.js";
import type { ConfState, Index, NodeId } from "../core/types.js";
import type { BareNode } from "../runtime/bare-node.js";
import type { Contacts } from "./contacts.js";
import { confStateIds } from "./members.js";
import type { Replicated } from "./replicated.js";

/** Entries a follower may lack and still count as caught up: what is in flight while commands come in. */
const caughtUpSlack = 64;

interface Viewer {
  readonly id: NodeId;
  readonly adopted: boolean;
  readonly confState: ConfState;
  readonly contacts: Contacts;
  readonly node: Pick<BareNode<unknown>, "status" | "peers">;
  readonly replicated: Pick<Replicated<unknown>, "table">;
}

/** Undefined where `peer` does not lead. @param ledSince  when it began to, `now`: milliseconds of its clock */
export function clusterView(peer: Viewer, ledSince: number, now: number): ClusterView | undefined {
  const { node, confState, contacts, replicated } = peer;
  const status = node.status();
  if (status.role !== "leader") return undefined;
  const ids = new Set(confStateIds(confState));
  for (const contact of contacts.all()) {
    if (contact.hello !== undefined && !replicated.table.removed.includes(contact.id)) {
      ids.add(contact.id);
    }
  }
  const reached = node.peers();
  const peers = [...ids].map((id) =>
    peerView(peer, id, ledSince, now, isCaughtUp(reached.get(id), status.commit)),
  );
  return { self: peer.id, peers, busy: confState.votersOutgoing.length > 0 };
}

function peerView(
  { id: selfId, confState, contacts, replicated, adopted }: Viewer,
  id: NodeId,
  ledSince: number,
  now: number,
  caughtUp: boolean,
): PeerView {
  const { voters, learners, learnersNext, votersOutgoing } = confState;
  const contact = contacts.get(id);
  const self = id === selfId;
  const voter = voters.includes(id) || votersOutgoing.includes(id);
  const learner = learners.includes(id) || learnersNext.includes(id);
  return {
    id,
    author: contact?.hello?.member.author ?? replicated.table.members.get(id)?.author ?? "",
    role: voter ? "voter" : learner ? "learner" : "none",
    // A peer that this one never heard is given the same time from when this one began to lead.
    silentMs: self ? 0 : now - (contact?.heardAt ?? ledSince),
    goodbyeMs: contact?.goodbyeAt === undefined ? undefined : now - contact.goodbyeAt,
    adopted: self ? adopted : (contact?.hello?.adopted ?? false),
    caughtUp: self || caughtUp,
    steadyMs: self
      ? Number.POSITIVE_INFINITY
      : contact?.via === undefined
        ? 0
        : now - contact.linkedAt,
  };
}

/** Its log meets ours, and what it lacks is on its way. */
function isCaughtUp(reached: PeerStatus | undefined, commit: Index): boolean {
  return reached?.state === "replicate" && reached.match + caughtUpSlack >= commit;
}
