/** The public names, written out by hand; nothing inside `lib` imports this file. */
export { type ErrorCode, isLogboomError, LogboomError, type Outcome } from "./base/errors.js";
export {
  type CallOptions,
  type Command,
  type Ctx,
  type Do,
  defineMachine,
  type Immutable,
  isRejected,
  type Machine,
  Rejected,
} from "./machines/machine.js";
export { createRoom, joinRoom, openRoom } from "./room/room.js";
export type {
  OpenOptions,
  Peer,
  Room,
  RoomEvents,
  RoomOptions,
  RoomStatus,
} from "./room/types.js";
