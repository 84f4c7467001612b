/**
 * Elections: PreVote, votes, campaigns, and campaigning because a leader hands over.
 *
 * Dissertation §3.4 (elections), §3.6.1 (who may be elected), §9.6 (PreVote), §3.10 (leadership transfer); compare etcd/raft
 * raft.go (hup, campaign, poll) and raft-rs' priority and commit fast-forward.
 *
 * A vote is a promise: it leaves when the write that holds it is durable, and our own counts from then on, too.
 */
import { hexId } from "./describe.js";
import { isConfChange } from "./entries.js";
import { campaignTransfer, voteRequest, voteResponse } from "./messages.js";
import { type Raft, send } from "./raft.js";
import { broadcastAppend } from "./replication.js";
import type { Refusal } from "./results.js";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.js";
import { type Index, type Message, noBytes, noNode, type Term } from "./types.js";

export type Campaign = "preElection" | "election" | "transfer";

/** Starts an election, unless we must not. */
export function startElection(raft: Raft, campaign: Campaign): Refusal | undefined {
  if (raft.role === "leader") {
    raft.say("debug", () => `${hexId(raft.id)} ignoring MsgHup because already leader`);
    return "alreadyLeader";
  }
  if (!raft.promotable) {
    raft.say("warn", () => `${hexId(raft.id)} is unpromotable and can not campaign`);
    return "notPromotable";
  }
  if (hasConfChange(raft, raft.log.applied, raft.log.committed)) {
    raft.say(
      "warn",
      () =>
        `${hexId(raft.id)} cannot campaign at term ${raft.term} since there are still pending configuration changes to apply`,
    );
    return "unappliedConfChange";
  }
  // Our own vote is a vote: see `voteBlackout`. A leader that hands over has given up its lease.
  if (raft.voteBlackout > 0 && campaign !== "transfer" && !raft.tracker.isSoleVoter(raft.id)) {
    return "recentlyStarted";
  }
  raft.say("info", () => `${hexId(raft.id)} is starting a new election at term ${raft.term}`);
  runCampaign(raft, campaign);
  return undefined;
}

/** Whether (`after`, `to`] holds a configuration change. */
function hasConfChange(raft: Raft, after: Index, to: Index): boolean {
  for (let index = Math.max(after + 1, raft.log.firstIndex); index <= to; index++) {
    const entry = raft.log.entry(index);
    if (entry !== undefined && isConfChange(entry)) return true;
  }
  return false;
}

function runCampaign(raft: Raft, campaign: Campaign): void {
  const pre = campaign === "preElection";
  if (pre) becomePreCandidate(raft);
  else becomeCandidate(raft);
  const term = pre ? raft.term + 1 : raft.term;
  for (const id of raft.tracker.voters) {
    if (id === raft.id) voteForOurselves(raft, pre, term);
    else requestVote(raft, id, campaign, term);
  }
}

/** A vote for oneself is a vote: it must be durable too. */
function voteForOurselves(raft: Raft, pre: boolean, term: Term): void {
  const type = pre ? "MsgPreVoteResp" : "MsgVoteResp";
  const { id } = raft;
  send(
    raft,
    voteResponse(type, { from: id, to: id, term, reject: false, commit: 0, commitTerm: 0 }),
  );
}

function requestVote(raft: Raft, to: number, campaign: Campaign, term: Term): void {
  const type = campaign === "preElection" ? "MsgPreVote" : "MsgVote";
  const { lastIndex, lastTerm } = raft.log;
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [logterm: ${lastTerm}, index: ${lastIndex}] sent ${type} request to ${hexId(to)} at term ${raft.term}`,
  );
  const context = campaign === "transfer" ? campaignTransfer : noBytes;
  send(
    raft,
    voteRequest(type, {
      from: raft.id,
      to,
      term,
      lastIndex,
      lastTerm,
      ...commitToReport(raft),
      context,
      priority: raft.priority,
    }),
  );
}

function commitToReport(raft: Raft): { readonly commit: Index; readonly commitTerm: Term } {
  if (!raft.config.reportCommit) return { commit: 0, commitTerm: 0 };
  return { commit: raft.log.committed, commitTerm: raft.log.term(raft.log.committed) ?? 0 };
}

// — voting —

/** Grants or refuses a vote. Everybody may be asked, learners as well: they may have been promoted without knowing it yet. */
export function handleVoteRequest(raft: Raft, request: Message): void {
  const pre = request.type === "MsgPreVote";
  const { index: lastIndex, logTerm: lastTerm } = request;
  const free =
    raft.vote === request.from ||
    (raft.vote === noNode && raft.leader === noNode) ||
    // Granting a pre-vote binds nobody, so it may be given for any later term.
    (pre && request.term > raft.term);
  if (free && raft.log.isUpToDate(lastIndex, lastTerm) && outranks(raft, request)) {
    grantVote(raft, request, pre);
  } else {
    refuseVote(raft, request);
    maybeCommitByVote(raft, request);
  }
}

/** raft-rs' priority: a candidate of lower priority needs a longer log than ours. */
function outranks(raft: Raft, request: Message): boolean {
  return request.index > raft.log.lastIndex || raft.priority <= request.priority;
}

function grantVote(raft: Raft, request: Message, pre: boolean): void {
  raft.say("info", () => describeVote(raft, request, "cast", "for"));
  // The request's term, since in a pre-vote ours stays behind.
  send(
    raft,
    voteResponse(pre ? "MsgPreVoteResp" : "MsgVoteResp", {
      from: raft.id,
      to: request.from,
      term: request.term,
      reject: false,
      commit: 0,
      commitTerm: 0,
    }),
  );
  if (pre) return;
  raft.electionElapsed = 0;
  raft.vote = request.from;
}

export function refuseVote(raft: Raft, request: Message): void {
  raft.say("info", () => describeVote(raft, request, "rejected", "from"));
  send(
    raft,
    voteResponse(request.type === "MsgPreVote" ? "MsgPreVoteResp" : "MsgVoteResp", {
      from: raft.id,
      to: request.from,
      term: raft.term,
      reject: true,
      ...commitToReport(raft),
    }),
  );
}

/** A later election, or one that may not disturb: say so in etcd's words, with our log and vote beside the candidate's. */
export function describeVote(raft: Raft, request: Message, verb: string, toward: string): string {
  return (
    `${hexId(raft.id)} [logterm: ${raft.log.lastTerm}, index: ${raft.log.lastIndex}, vote: ${hexId(raft.vote)}] ` +
    `${verb} ${request.type} ${toward} ${hexId(request.from)} ` +
    `[logterm: ${request.logTerm}, index: ${request.index}] at term ${raft.term}`
  );
}

/** Counts the answer to our request and acts on the outcome. */
export function handleVoteResponse(raft: Raft, response: Message): void {
  raft.say("info", () => {
    const rejection = response.reject ? " rejection" : "";
    return `${hexId(raft.id)} received ${response.type}${rejection} from ${hexId(response.from)} at term ${raft.term}`;
  });
  raft.tracker.recordVote(response.from, !response.reject);
  const { granted, rejected, result } = raft.tracker.tally();
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} has received ${granted} ${response.type} votes and ${rejected} vote rejections`,
  );
  if (result === "won") {
    if (raft.role === "preCandidate") {
      runCampaign(raft, "election");
    } else {
      becomeLeader(raft);
      broadcastAppend(raft);
    }
  } else if (result === "lost") {
    becomeFollower(raft, raft.term, noNode);
  }
  if (response.reject) maybeCommitByVote(raft, response);
}

/**
 * Commit fast-forward (raft-rs): candidates and refusing voters say what they know to be committed. A candidate that thereby learns
 * of a configuration change it has not applied counts votes by the wrong configuration, and steps down.
 */
function maybeCommitByVote(raft: Raft, { commit, commitTerm }: Message): void {
  if (!raft.config.reportCommit || raft.role === "leader") return;
  const before = raft.log.committed;
  if (!raft.log.maybeCommit(commit, commitTerm)) return;
  raft.say(
    "info",
    () => `${hexId(raft.id)} fast-forwarded commit to ${commit} at term ${raft.term}`,
  );
  if (raft.role !== "follower" && hasConfChange(raft, before, raft.log.committed)) {
    becomeFollower(raft, raft.term, noNode);
  }
}

/** The leader wants us to take over: no pre-vote, since it has consented. */
export function handleTimeoutNow(raft: Raft, from: number): void {
  raft.say(
    "info",
    () =>
      `${hexId(raft.id)} [term ${raft.term}] received MsgTimeoutNow from ${hexId(from)} and starts an election to get leadership.`,
  );
  startElection(raft, "transfer");
}
