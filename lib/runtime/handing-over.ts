/**
 * Handing over: the last words of a leader whose disk failed.
 *
 * It must not lead on, for it can store nothing; if it merely fell silent, the others would wait out an election timeout, and with a
 * disk that fails now and then it would win the next election as well. So it sends what it had ready and names the voter with the
 * longest log its successor. MsgTimeoutNow needs no disk: the new term is the successor's to write. A successor whose log turns out
 * to be too short loses its election, and the others hold theirs in their own time. Dissertation §3.10.
 */
import { timeoutNowMessage } from "../core/messages.js";
import type { RawNode } from "../core/raw-node.js";
import type { Message, NodeId } from "../core/types.js";

/** The voter, other than ourselves, that has most of our log, and among equals one that answers; undefined where there is none. */
export function bestSuccessor(core: RawNode): NodeId | undefined {
  const { id, confState, peers } = core.status();
  const ranked = confState.voters.flatMap((voter) => {
    const peer = peers.get(voter);
    if (voter === id || peer === undefined) return [];
    const answers = (peer.recentActive ? 2 : 0) + (peer.state === "replicate" ? 1 : 0);
    return [{ voter, match: peer.match, answers }];
  });
  ranked.sort((a, b) => b.match - a.match || b.answers - a.answers);
  return ranked[0]?.voter;
}

/** Only appends of our term leave beside the farewell: nothing that speaks of what we have stored. */
export function handOver(core: RawNode, send: (message: Message) => void): void {
  const { role, term, id } = core.basicStatus();
  const to = role === "leader" ? bestSuccessor(core) : undefined;
  if (to === undefined) return;
  for (const message of core.ready().messages) if (message.type === "MsgApp") send(message);
  send(timeoutNowMessage({ from: id, to, term }));
}
