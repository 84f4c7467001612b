import { describe, expect, it } from "vitest";
import { CommandBatch, commandsMax } from "../../lib/room/command-batch.js";

function batching(): { batch: CommandBatch; sent: number[][] } {
  const sent: number[][] = [];
  const batch = new CommandBatch((commands) => sent.push(commands.map(({ length }) => length)));
  return { batch, sent };
}

describe("commands of one task", () => {
  it("go on together, in order, once the task is over", async () => {
    const { batch, sent } = batching();
    for (const length of [1, 2, 3]) batch.add(new Uint8Array(length));
    expect(sent).toEqual([]);
    await Promise.resolve();
    expect(sent).toEqual([[1, 2, 3]]);
    batch.add(new Uint8Array(4));
    await Promise.resolve();
    expect(sent).toEqual([[1, 2, 3], [4]]);
  });

  it("go on at once when asked, and not again", async () => {
    const { batch, sent } = batching();
    batch.flush();
    batch.add(new Uint8Array(1));
    batch.flush();
    expect(sent).toEqual([[1]]);
    await Promise.resolve();
    expect(sent).toEqual([[1]]);
  });

  it("are split where they are more than one message takes", async () => {
    const { batch, sent } = batching();
    for (let n = 0; n <= commandsMax; n++) batch.add(new Uint8Array(1));
    await Promise.resolve();
    expect(sent.map(({ length }) => length)).toEqual([commandsMax, 1]);
  });

  it("are split by bytes, and one that is larger goes alone", async () => {
    const { batch, sent } = batching();
    for (const length of [40_000, 40_000, 500_000, 10]) batch.add(new Uint8Array(length));
    await Promise.resolve();
    expect(sent).toEqual([[40_000], [40_000], [500_000], [10]]);
  });
});
