/** Ids and random numbers that follow from a command: pinned, distinct, evenly spread. */
import { describe, expect, test } from "vitest";
import { clientId, drawsOf, isClientId } from "../../lib/machines/seed.js";

const ann = clientId(new Uint8Array(16).fill(1));
const bob = clientId(Uint8Array.from({ length: 16 }, (_, i) => 17 * i));

function draw(client: string, sequence: number, count: number): string[] {
  const draws = drawsOf(client, sequence);
  return Array.from({ length: count }, () => draws.id());
}

describe("ids", () => {
  test("are pinned: replicas of two versions must draw the same", () => {
    expect([draw(ann, 1, 2), draw(bob, 1, 1), draw(bob, 2 ** 32 + 1, 1)]).toMatchInlineSnapshot(`
      [
        [
          "2y9450qxmqpz8jntc3gz",
          "8jk8detknsjj7r07hmvt",
        ],
        [
          "nxj4bnqe9sbwbcqypehr",
        ],
        [
          "eysje92awep9v7ded938",
        ],
      ]
    `);
  });
  test("have 20 characters of base 32, all of which are used", () => {
    const ids = Array.from({ length: 500 }, (_, i) => draw(bob, i + 1, 1)[0]);
    for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{20}$/);
    for (let at = 0; at < 20; at++) expect(new Set(ids.map((id) => id?.[at])).size).toBe(32);
  });
  test("differ by client, sequence and draw", () => {
    const ids = new Set<string>();
    for (let byte = 0; byte < 16; byte++) {
      const random = new Uint8Array(16);
      random[byte] = 1;
      for (let sequence = 1; sequence <= 250; sequence++) {
        for (const id of draw(clientId(random), sequence, 5)) ids.add(id);
      }
    }
    expect(ids.size).toBe(16 * 250 * 5);
  });
  test("differ for sequences that differ above 32 bits only", () => {
    expect(draw(ann, 1, 1)).not.toEqual(draw(ann, 1 + 2 ** 32, 1));
  });
  test("are the same whether or not numbers are drawn between them", () => {
    const mixed = drawsOf(ann, 1);
    mixed.random();
    const first = mixed.id();
    mixed.random();
    expect([first, mixed.id()]).toEqual(draw(ann, 1, 2));
  });
});

describe("numbers", () => {
  test("are pinned", () => {
    const draws = drawsOf(ann, 1);
    expect([draws.random(), draws.random()]).toMatchInlineSnapshot(`
      [
        0.620771347714341,
        0.8248065858392629,
      ]
    `);
  });
  test("lie in [0, 1), evenly", () => {
    const draws = drawsOf(bob, 7);
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(draws.random() * 10);
      buckets[bucket] = (buckets[bucket] ?? Number.NaN) + 1;
    }
    expect(buckets.length).toBe(10);
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

test("a client id is made of 16 bytes", () => {
  expect(isClientId(ann)).toBe(true);
  expect(isClientId("01")).toBe(false);
  expect(isClientId(ann.toUpperCase().replace("0", "A"))).toBe(false);
  expect(() => clientId(new Uint8Array(15))).toThrow("16 random bytes, got 15");
});
