/**
 * Text forms of ids, progress, configurations and changes, as they stand in etcd's log lines.
 *
 * Node ids are hexadecimal in log lines and configurations. Compare etcd/raft tracker/progress.go and tracker.go (String).
 */
import type { Configuration } from "./confchange.js";
import type { Progress, ProgressState } from "./progress.js";
import type { ConfChangeV2, NodeId, Role } from "./types.js";

export function hexId(id: NodeId): string {
  return id.toString(16);
}

const progressNames: Record<ProgressState, string> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};

const roleNames: Record<Role, string> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

export function describeRole(role: Role): string {
  return roleNames[role];
}

export function describeProgress(progress: Progress): string {
  let text = `${progressNames[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (progress.inflights.count > 0) {
    text += ` inflight=${progress.inflights.count}`;
    if (progress.inflights.full()) text += "[full]";
  }
  return text;
}

export function describeIds(ids: readonly NodeId[]): string {
  return `(${ids.map(hexId).join(" ")})`;
}

export function describeConfiguration(configuration: Configuration): string {
  let text = `voters=${describeIds(configuration.incoming)}`;
  if (configuration.outgoing.length > 0) text += `&&${describeIds(configuration.outgoing)}`;
  if (configuration.learners.length > 0) text += ` learners=${describeIds(configuration.learners)}`;
  if (configuration.learnersNext.length > 0) {
    text += ` learners_next=${describeIds(configuration.learnersNext)}`;
  }
  if (configuration.autoLeave) text += " autoleave";
  return text;
}

const transitions = {
  auto: "ConfChangeTransitionAuto",
  jointImplicit: "ConfChangeTransitionJointImplicit",
  jointExplicit: "ConfChangeTransitionJointExplicit",
} as const;

export function describeConfChange(change: ConfChangeV2): string {
  let text = `transition:${transitions[change.transition]}`;
  for (const single of change.changes) {
    text += ` changes:{type:${single.type} node_id:${single.nodeId}}`;
  }
  if (change.context.length > 0) text += ` context:${quote(change.context)}`;
  return text;
}

const escapes: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** Go's %q of bytes: printable runes as they are, bytes that are no UTF-8 and control runes escaped. */
export function quote(bytes: Uint8Array): string {
  let text = '"';
  for (let at = 0; at < bytes.length; ) {
    const rune = decodeRune(bytes, at);
    if (rune === undefined) {
      text += `\\x${(bytes[at] as number).toString(16).padStart(2, "0")}`;
      at++;
    } else {
      text += quoteRune(rune.code);
      at += rune.length;
    }
  }
  return `${text}"`;
}

function quoteRune(code: number): string {
  const character = String.fromCodePoint(code);
  const escaped = escapes[character];
  if (escaped !== undefined) return escaped;
  if (character === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** The rune that starts at `at`; undefined where the bytes are no UTF-8. */
function decodeRune(
  bytes: Uint8Array,
  at: number,
): { readonly code: number; readonly length: number } | undefined {
  const first = bytes[at] as number;
  if (first < 0x80) return { code: first, length: 1 };
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return undefined;
  let code = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    const next = bytes[at + i] as number;
    if ((next & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (next & 0x3f);
  }
  const least = length === 4 ? 0x10000 : length === 3 ? 0x800 : 0x80;
  const surrogate = code >= 0xd800 && code < 0xe000;
  return code < least || code > 0x10ffff || surrogate ? undefined : { code, length };
}
