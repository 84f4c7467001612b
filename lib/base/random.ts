/** Randomness is passed in: seeded where a run must replay, the platform's where it must not be guessed. */

/** A source of uniformly distributed integers. */
export interface Random {
  /** An integer in `[0, bound)`; `bound` is a positive safe integer up to 2^32. */
  below(bound: number): number;
}

/**
 * xorshift128 seeded through splitmix32: small, fast, the same everywhere. Not for secrets. With a second seed, two pairs that differ
 * in one half only never give the same state.
 */
export function seededRandom(seed: number, second = 0): Random {
  let mixed = seed >>> 0;
  const splitmix = (): number => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = splitmix() | 1;
  mixed = (mixed ^ second) >>> 0;
  let b = splitmix();
  let c = splitmix();
  let d = splitmix();
  const next = (): number => {
    const t = a ^ (a << 11);
    a = b;
    b = c;
    c = d;
    d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return d;
  };
  return { below: (bound) => Math.floor((next() / 0x100000000) * bound) };
}
