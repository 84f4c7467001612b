/**
 * The state of the room in words.  Pure: a status in, a sentence out.
 */
import type { Peer, RoomStatus } from "logboom";

const small = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** 2 → "two"; from ten on digits are easier to read. */
export function inWords(count: number): string {
  return small[count] ?? String(count);
}

export function plural(count: number, noun: string): string {
  return `${inWords(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function listInWords(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** "the kitchen tablet", but "Ann's phone". */
export function theDevice(name: string): string {
  const takesNoArticle = /^(the|my|our|this|an?)\s|['’]s\b/i.test(name);
  return takesNoArticle ? name : `the ${name}`;
}

/** How a device is called where two of one name may meet: the last four hex digits of the id tell them apart. */
export function shortId(id: number): string {
  return (id % 0x10000).toString(16).padStart(4, "0");
}

export interface Sentence {
  readonly tone: "good" | "waiting" | "stopped";
  readonly text: string;
}

type Facts = Pick<
  RoomStatus,
  "role" | "quorum" | "voters" | "learners" | "waitingFor" | "halted" | "leader"
>;

/** The one sentence: can this board be written now, and if not, whom does it wait for? */
export function roomSentence(status: Facts, peers: readonly Peer[]): Sentence {
  if (status.halted !== undefined)
    return { tone: "stopped", text: `this tab has stopped for good: ${status.halted}` };
  if (status.role === "joining") return { tone: "waiting", text: joining(peers) };
  if (status.quorum === "ok") return { tone: "good", text: writable(status, peers) };
  if (status.waitingFor.length > 0)
    return { tone: "waiting", text: `waiting for ${waitedFor(status.waitingFor)}` };
  return { tone: "waiting", text: "electing a leader: writing waits for a moment" };
}

function joining(peers: readonly Peer[]): string {
  return peers.some((peer) => !peer.self && peer.connected)
    ? "joining: the others are letting this tab in"
    : "joining: waiting for somebody who is in to have the board open";
}

function writable(status: Facts, peers: readonly Peer[]): string {
  const reachable = new Set(peers.filter((p) => p.self || p.connected).map((p) => p.id));
  const here = status.voters.filter((id) => reachable.has(id)).length;
  const sentence = `${here} of ${status.voters.length} here: writing works`;
  if (status.learners.length > 0)
    return `${sentence}, and ${plural(status.learners.length, "learner")} following`;
  return sentence;
}

function waitedFor(devices: Facts["waitingFor"]): string {
  return listInWords(devices.map((d) => `${plural(d.peers, "peer")} of ${theDevice(d.name)}`));
}

/** What else there is to know; undefined while there is nothing. */
export function noteSentence(status: Pick<RoomStatus, "relay" | "turnNeeded">): string | undefined {
  const sentences = [relaySentences[status.relay]];
  if (status.turnNeeded)
    sentences.push("WebRTC finds no way to one of the peers: this network needs a TURN server.");
  return sentences.filter((sentence) => sentence !== "").join(" ") || undefined;
}

const relaySentences: Readonly<Record<RoomStatus["relay"], string>> = {
  connected: "",
  connecting: "Looking for the relay: newcomers wait until it answers; the open tabs go on.",
  off: "The relay is off: newcomers cannot join; the open tabs go on.",
};

const links: Readonly<Record<string, string>> = {
  webrtc: "WebRTC",
  broadcast: "BroadcastChannel",
  port: "MessagePort",
  websocket: "WebSocket",
  memory: "memory",
};

/** "leader", "voter, by WebRTC", "voter, adopted, away" … */
export function peerFacts(peer: Peer): string {
  const facts: string[] = [peer.role];
  if (peer.adopted) facts.push("adopted");
  if (peer.self) facts.push("this tab");
  else if (!peer.connected) facts.push("away");
  else if (peer.via !== undefined) facts.push(links[peer.via] ?? peer.via);
  return facts.join(" · ");
}
