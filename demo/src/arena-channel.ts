/**
 * What the tabs of one browser tell each other about a fight: who is there, what each was told, how it stands.
 *
 * This is beside the room, on purpose: the referee must not learn from the replicated log what the replicated log is tested for.
 * Anything of this origin can write to the channel, so every message is checked.
 */
import * as v from "valibot";

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Name = v.pipe(v.string(), v.maxLength(100));
const Tally = v.object({
  rounds: Count,
  winners: Count,
  double: Count,
  unheard: Count,
  elsewhere: Count,
  wins: v.record(v.pipe(v.string(), v.regex(/^\d+$/)), Count),
});

const Message = v.variant("type", [
  /** "I am here", and whether everybody else should say so too. */
  v.object({ type: v.literal("here"), peer: Count, whoElse: v.boolean() }),
  v.object({ type: v.literal("gone"), peer: Count }),
  v.object({
    type: v.literal("told"),
    peer: Count,
    card: Name,
    told: v.picklist(["won", "taken", "gone", "failed"]),
  }),
  /** How the fight stands; `over` with the last one. */
  v.object({ type: v.literal("tally"), peer: Count, tally: Tally, over: v.boolean() }),
  v.object({ type: v.literal("stop"), peer: Count }),
]);

export type ArenaMessage = v.InferOutput<typeof Message>;

export interface ArenaChannel {
  post(message: ArenaMessage): void;
  close(): void;
}

export function openArenaChannel(
  room: string,
  receive: (message: ArenaMessage) => void,
): ArenaChannel {
  const channel = new BroadcastChannel(`logboom-demo/arena/${room}`);
  channel.addEventListener("message", ({ data }) => {
    const parsed = v.safeParse(Message, data);
    if (parsed.success) receive(parsed.output);
  });
  return {
    post: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
}
