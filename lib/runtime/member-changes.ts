/**
 * Changes of membership, as configuration changes: each says who becomes what, and where newcomers live.
 *
 * One voter at a time goes by a simple change; `replace` and whatever moves several goes through a joint configuration, which the
 * leader leaves by itself, so that there is never a moment with fewer voters. Dissertation §4.1–4.3.
 */
import { LogboomError } from "../base/errors.js";
import { isNodeId } from "../core/config.js";
import {
  type ConfChangeSingle,
  type ConfChangeType,
  type ConfChangeV2,
  type NodeId,
  noBytes,
} from "../core/types.js";
import { type ChangeContext, encodeContext } from "./members.js";
import { checkAddress } from "./node-options.js";

/** What becomes of one node. */
export type MemberChange =
  | { readonly id: NodeId; readonly becomes: "voter" | "learner"; readonly address?: string }
  | { readonly id: NodeId; readonly becomes: "removed" };

const types: Readonly<Record<MemberChange["becomes"], ConfChangeType>> = {
  voter: "ConfChangeAddNode",
  learner: "ConfChangeAddLearnerNode",
  removed: "ConfChangeRemoveNode",
};

/** @throws LogboomError `BAD_INPUT`, `BAD_CONFIG` (an address) */
export function changeOf(members: readonly MemberChange[]): ConfChangeV2 {
  if (members.length === 0)
    throw new LogboomError("BAD_INPUT", "no change of membership was named");
  const addresses = new Map<NodeId, string>();
  const changes = members.map((member): ConfChangeSingle => {
    checkId(member.id);
    if ("address" in member && member.address !== undefined) {
      checkAddress(member.address);
      addresses.set(member.id, member.address);
    }
    return { type: types[member.becomes], nodeId: member.id };
  });
  return {
    transition: members.length > 1 ? "jointImplicit" : "auto",
    changes,
    context: addresses.size === 0 ? noBytes : encodeContext({ type: "addresses", addresses }),
    unknown: undefined,
  };
}

/** An entry that changes nobody's role: it only carries `context`. `id` is a member. */
export function carrierOf(id: NodeId, context: ChangeContext): ConfChangeV2 {
  checkId(id);
  return {
    transition: "auto",
    changes: [{ type: "ConfChangeUpdateNode", nodeId: id }],
    context: encodeContext(context),
    unknown: undefined,
  };
}

function checkId(id: NodeId): void {
  if (isNodeId(id)) return;
  throw new LogboomError("BAD_INPUT", `a node id is an integer in [1, 2^53-1], got ${String(id)}`);
}
