/** What a relay counts: no ids, no addresses, no content. */
export interface Counters {
  /** Envelopes passed on, one for each receiver. */
  forwarded: number;
  /** Messages dropped for their rate. */
  dropped: number;
  badFrames: number;
  badProofs: number;
  /** Joins refused for want of a place. */
  full: number;
  /** Upgrades refused: too many connections, or a foreign origin. */
  refusedUpgrades: number;
  slowReaders: number;
}

export interface RelayStats extends Readonly<Counters> {
  readonly connections: number;
  readonly rooms: number;
}

export function newCounters(): Counters {
  return {
    forwarded: 0,
    dropped: 0,
    badFrames: 0,
    badProofs: 0,
    full: 0,
    refusedUpgrades: 0,
    slowReaders: 0,
  };
}
