/** A running 32-bit hash of what happened: two runs of one seed must agree in it. FNV-1a, for bytes, text and plain values. */

const prime = 0x01000193;

export function hashNumber(hash: number, value: number): number {
  let mixed = Math.imul((hash ^ (value | 0)) | 0, prime);
  mixed = Math.imul(mixed ^ Math.floor(value / 0x100000000), prime);
  return (mixed ^ (mixed >>> 15)) | 0;
}

export function hashText(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), prime);
  return mixed | 0;
}

export function hashBytes(hash: number, bytes: Uint8Array): number {
  let mixed = hash;
  for (let i = 0; i < bytes.length; i++) mixed = Math.imul(mixed ^ (bytes[i] as number), prime);
  return mixed | 0;
}

/** Values as a machine returns them, in the order of their keys. */
export function hashValue(value: unknown, hash: number = 0x811c9dc5 | 0): number {
  if (typeof value === "string") return hashText(hashNumber(hash, 1), value);
  if (typeof value === "number")
    return hashText(hashNumber(hash, 2), Object.is(value, -0) ? "-0" : String(value));
  if (value instanceof Uint8Array) return hashBytes(hashNumber(hash, 3), value);
  if (typeof value !== "object" || value === null)
    return hashText(hashNumber(hash, 4), String(value));
  let mixed = hashNumber(hash, Array.isArray(value) ? 5 : 6);
  for (const [key, inner] of Object.entries(value)) mixed = hashValue(inner, hashText(mixed, key));
  return mixed;
}
