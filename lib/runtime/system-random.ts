/** Random over the platform's secure source: what must not be guessed, and what must differ between peers. */
import type { Random } from "../base/random.js";

export const systemRandom: Random = {
  below(bound) {
    const [word = 0] = crypto.getRandomValues(new Uint32Array(1));
    return Math.floor((word / 0x100000000) * bound);
  },
};
