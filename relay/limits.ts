/** What a relay allows. Every figure may be given to `attachRelay`; the defaults suit one small process. */

export interface RelayLimits {
  /** Sockets at once; more are answered 503. Default 10,000. */
  readonly connections: number;
  /** Sockets that have not joined a room yet; more are answered 503. Default 1,000. */
  readonly waiting: number;
  /** Rooms at once; a join that would open another is refused. Default 5,000. */
  readonly rooms: number;
  /** Members of one room. Default 64. */
  readonly membersPerRoom: number;
  /** Milliseconds from open to a valid join. Default 5,000. */
  readonly joinMs: number;
  /** Messages per second and connection, and how many may come at once. Default 50 and 200. */
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  /** Bytes per second and connection, and how many may come at once. Default 64 KiB and 256 KiB. */
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** Messages dropped for their rate, without a pause, after which the connection is closed. Default 500. */
  readonly droppedMax: number;
  /** Bytes waiting for one slow reader, after which it is cut off. Default 256 KiB. */
  readonly queuedBytes: number;
  /** Milliseconds between pings; a socket silent for two of them is cut off. Default 25,000. */
  readonly pingMs: number;
}

export const relayDefaults: RelayLimits = {
  connections: 10_000,
  waiting: 1_000,
  rooms: 5_000,
  membersPerRoom: 64,
  joinMs: 5_000,
  messagesPerSecond: 50,
  messagesBurst: 200,
  bytesPerSecond: 64 * 1024,
  bytesBurst: 256 * 1024,
  droppedMax: 500,
  queuedBytes: 256 * 1024,
  pingMs: 25_000,
};

/** The defaults with what was given; a figure that is not a positive integer is the caller's error. */
export function relayLimits(given: Partial<RelayLimits>): RelayLimits {
  const limits: { -readonly [K in keyof RelayLimits]: number } = { ...relayDefaults };
  for (const name of Object.keys(relayDefaults) as (keyof RelayLimits)[]) {
    const value = given[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value <= 0) {
      throw new RangeError(`relay limit ${name} must be a positive integer, got ${String(value)}`);
    }
    limits[name] = value;
  }
  return limits;
}
