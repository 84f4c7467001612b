/**
 * The replicated command: what a caller proposes, and what the leader stamps on it.
 *
 * The caller's part is MessagePack, an array [client, sequence, low, since, author, machineVersion, name, input?]. Before it goes
 * into the log the leader puts a header in front: a byte that tells the kind of entry, and two times (DESIGN §10): `now` is the
 * leader's wall clock, for display; `logTime` is the sum of the time that leaders spent leading, and alone drives sessions.
 *
 * `sequence - low` is bounded by the format itself: that bounds what every replica keeps for one client, and no replica
 * ever has to choose between forgetting a result and growing.
 *
 * Invariant: what decodes keeps every rule written at `Command`; decoding throws `DecodeError` alone.
 */
import { concatBytes, hex } from "../base/bytes.js";
import { DecodeError, LogboomError } from "../base/errors.js";
import { decodeValue, encodeValue } from "./msgpack.js";
import { type ClientId, isClientId } from "./seed.js";
import type { Value } from "./values.js";

/** A client may have this many commands of which it does not yet know the end: sequence < low + this. */
export const unfinishedMax = 1024;
export const authorLengthMax = 128;
/** Bytes of an encoded command, without the stamp. */
export const commandBytesMax: number = 1024 * 1024;

export interface Command {
  readonly client: ClientId;
  /** 1, 2, 3 … for each client. */
  readonly sequence: number;
  /** The lowest sequence whose end this client does not yet know: results below are no longer needed. 1 ≤ low ≤ sequence. */
  readonly low: number;
  /** Log time when the client id was drawn, as far as its peer had applied. By it a forgotten client is told from a new one. */
  readonly since: number;
  /** Who: 1 to 128 characters. */
  readonly author: string;
  readonly machineVersion: number;
  /** 1 to 64 characters. */
  readonly name: string;
  /** A tame value; undefined for a command without input. */
  readonly input: Value | undefined;
}

/** What the leader adds when it proposes. Both in milliseconds, safe integers from 0 on. */
export interface Stamp {
  /** The leader's wall clock, since 1970. */
  readonly now: number;
  /** Time spent leading, by all leaders so far; see `createStamper`. */
  readonly logTime: number;
}

/** @throws LogboomError `BAD_INPUT` (a field against its rule, or an input that is no value), `TOO_LARGE` */
export function encodeCommand(command: Command): Uint8Array<ArrayBuffer> {
  const broken = brokenRule(command);
  if (broken !== undefined) throw new LogboomError("BAD_INPUT", `command: ${broken}`);
  const { client, sequence, low, since, author, machineVersion, name, input } = command;
  const fields = [unhex(client), sequence, low, since, author, machineVersion, name];
  const bytes = encodeValue(input === undefined ? fields : [...fields, input], name);
  if (bytes.length <= commandBytesMax) return bytes;
  throw new LogboomError(
    "TOO_LARGE",
    `${name}: the command takes ${bytes.length} bytes, at most ${commandBytesMax} are allowed`,
  );
}

/** @throws DecodeError */
export function decodeCommand(bytes: Uint8Array): Command {
  if (bytes.length > commandBytesMax) throw new DecodeError("command: too long");
  const fields = decodeValue(bytes, "command");
  if (!Array.isArray(fields) || fields.length < 7 || fields.length > 8) {
    throw new DecodeError("command: not an array of 7 or 8 fields");
  }
  const [client, sequence, low, since, author, machineVersion, name, input] = fields as Value[];
  const command = {
    client: client instanceof Uint8Array ? hex(client) : "",
    sequence,
    low,
    since,
    author,
    machineVersion,
    name,
    input,
  } as Command;
  const broken = brokenRule(command);
  if (broken !== undefined) throw new DecodeError(`command: ${broken}`);
  return command;
}

/** The rule that `command` breaks, if one: the same for who writes and who reads. */
function brokenRule(command: Command): string | undefined {
  const { client, sequence, low, since, author, machineVersion, name } = command;
  if (!isClientId(client)) return "client must be 16 bytes";
  if (!isCount(sequence, 1)) return "sequence must be a safe integer from 1 on";
  if (!isCount(low, 1) || low > sequence) return "low must be from 1 to sequence";
  if (sequence - low >= unfinishedMax) return `sequence must be below low + ${unfinishedMax}`;
  if (!isCount(since, 0)) return "since must be a safe integer from 0 on";
  if (!isText(author, authorLengthMax)) return `author must be 1 to ${authorLengthMax} characters`;
  if (!isCount(machineVersion, 1)) return "machineVersion must be a safe integer from 1 on";
  if (!isText(name, 64)) return "name must be 1 to 64 characters";
  return undefined;
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && !Object.is(value, -0);
}

function isText(value: unknown, lengthMax: number): boolean {
  return typeof value === "string" && value.length >= 1 && value.length <= lengthMax;
}

function unhex(client: ClientId): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(client.slice(2 * i, 2 * i + 2), 16),
  );
}

/** First byte of an entry: a stamped command. Other kinds will follow; a replica counts one it does not know as malformed. */
const commandKind = 1;
const headerBytes = 17;

/** The entry to propose: `command`, as `encodeCommand` gave it, behind the leader's stamp. @throws LogboomError `BAD_INPUT` */
export function stamp(command: Uint8Array, { now, logTime }: Stamp): Uint8Array<ArrayBuffer> {
  if (!isCount(now, 0) || !isCount(logTime, 0)) {
    throw new LogboomError(
      "BAD_INPUT",
      `stamp: now and logTime must be safe integers from 0 on, got ${now} and ${logTime}`,
    );
  }
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  header[0] = commandKind;
  view.setBigUint64(1, BigInt(now));
  view.setBigUint64(9, BigInt(logTime));
  return concatBytes(header, command);
}

/** @throws DecodeError */
export function decodeStamped(entry: Uint8Array): { stamp: Stamp; command: Command } {
  if (entry.length < headerBytes) throw new DecodeError("entry: cut short");
  if (entry[0] !== commandKind) throw new DecodeError(`entry: unknown kind ${entry[0]}`);
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const now = Number(view.getBigUint64(1));
  const logTime = Number(view.getBigUint64(9));
  if (!isCount(now, 0) || !isCount(logTime, 0)) throw new DecodeError("entry: a time beyond 2^53");
  return { stamp: { now, logTime }, command: decodeCommand(entry.subarray(headerBytes)) };
}
