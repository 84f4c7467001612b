/** What a room gives back for a machine. Compiled, never run: see machine.cases.ts. */
import { z } from "zod";
import { defineMachine, type Machine } from "../../lib/machines/machine.js";
import type { OpenOptions, Room, RoomStatus } from "../../lib/room/types.js";
import { type Eq, yes } from "./eq.js";

interface Counter {
  count: number;
  names: Record<string, { at: number }>;
}

const counter = defineMachine({
  name: "counter",
  version: 1,
  rejects: ["too-high"],
  initial: (): Counter => ({ count: 0, names: {} }),
  commands: {
    add: {
      input: z.object({ by: z.number().default(1) }),
      run(state, { by }, ctx) {
        if (state.count + by > 10) return ctx.reject("too-high");
        state.count += by;
        return state.count;
      },
    },
    name(state, name: string, ctx) {
      state.names[name] = { at: ctx.now };
    },
    reset(state) {
      state.count = 0;
    },
  },
});

/** As `openRoom` will be declared: the room's types follow from the machine alone. */
declare function open<S, C, J extends string>(
  machine: Machine<S, C, J>,
  options: OpenOptions,
): Promise<Room<S, C, J>>;

const room = await open(counter, { relay: "wss://relay.example", peerPer: "tab", invite: "#x" });

yes<Eq<typeof room.state.count, number>>();
yes<Eq<(typeof room.committed.names)[string], { readonly at: number }>>();
yes<Eq<ReturnType<typeof room.do.add>, Promise<number>>>();
yes<Eq<Parameters<typeof room.do.add>[0], { by?: number | undefined }>>();
yes<Eq<Parameters<typeof room.do.name>[0], string>>();
yes<Eq<typeof room.status.quorum, "ok" | "lost">>();
yes<Eq<ReturnType<typeof room.subscribe>, () => void>>();

const n: number = await room.do.add({});
void n;
await room.do.name("ann");
await room.do.reset();
await room.do.reset(undefined, { signal: new AbortController().signal });
const off = room.on("status", (status) => yes<Eq<typeof status, RoomStatus>>());
off();
room.on("rejected", (event) => {
  yes<Eq<typeof event.command, "add" | "name" | "reset">>();
  if (event.reason === "too-high") off();
});
room.subscribe(() => {});
const link: string = room.invite();
void link;
await room.close();
await room[Symbol.asyncDispose]();

// @ts-expect-error a wrong name
await room.do.subtract({ by: 1 });
// @ts-expect-error a wrong input
await room.do.add({ by: "1" });
// @ts-expect-error a missing input
await room.do.name();
// @ts-expect-error the state is read only
room.state.count = 1;
// @ts-expect-error the state is read only, deeply
room.state.names.ann = { at: 1 };
// @ts-expect-error no such event
room.on("committed", () => {});
// @ts-expect-error `do` is read only
room.do = { ...room.do };
// @ts-expect-error peerPer must be given
await open(counter, { relay: "wss://relay.example" });
// @ts-expect-error peerPer is "tab" or "profile"
await open(counter, { relay: "wss://relay.example", peerPer: "window" });
// @ts-expect-error not a machine
await open({ name: "counter" }, { relay: "wss://relay.example", peerPer: "tab" });
