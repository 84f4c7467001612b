import { WalWriter } from "/dist/storage/wal-writer.js";
import { entriesOf, ratedOf } from "./storage-turns.mjs";
export async function run(batches, dists) {
  const worker = new Worker("/tests/bench/opfs-bare-worker.mjs", { type: "module" });
  await new Promise((r) => (worker.onmessage = r));
  const cands = [];
  for (const dist of dists) {
    const { openOpfsStore } = await import(`/${dist}/storage/opfs.js`);
    const store = await openOpfsStore({ name: "ab-" + dist });
    await store.storage.load();
    let next = 1;
    cands.push({ name: dist, rates: [], make(batch) { return { prepare() { const entries = entriesOf(next, batch); next += batch; return { hardState: undefined, snapshot: undefined, entries, sync: true }; }, run: (w) => store.storage.append(w) }; } });
  }
  cands.push({ name: "bare", rates: [], make(batch) { const w = new WalWriter(0); for (const e of entriesOf(100000, batch)) w.entry(e); const bytes = w.take().slice(); return { prepare: () => bytes.slice(), run: (b) => new Promise((r) => { worker.onmessage = r; worker.postMessage(b, [b.buffer]); }) }; } });
  for (const batch of batches) {
    for (const c of cands) { c.rates = []; c.c = c.make(batch); }
    for (let round = -2; round < 40; round++) {
      const order = [...cands]; order.sort(() => Math.random() - 0.5);
      for (const c of order) {
        let calls = 0, spent = 0;
        while (spent < 80) { const p = c.c.prepare(); const at = performance.now(); await c.c.run(p); spent += performance.now() - at; calls++; }
        if (round >= 0) c.rates.push(calls / spent * 1000);
      }
    }
    const bare = ratedOf(cands.at(-1).rates);
    const med = (r) => [...r].sort((a, b) => a - b)[r.length >> 1];
    console.log("batch", batch, cands.map((c) => `${c.name} q75 ${(ratedOf(c.rates) / bare).toFixed(2)} med ${(med(c.rates) / med(cands.at(-1).rates)).toFixed(2)}`).join(" | "), "bare/s", bare.toFixed(0));
  }
}
