/** Type equality, for the cases beside this file. */

/** True exactly when A and B are the same type; `any` equals nothing but itself. */
export type Eq<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles when its argument's type is true. */
export function yes<_T extends true>(): void {}
