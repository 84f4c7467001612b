import { WalWriter } from "/dist/storage/wal-writer.js";
import { openOpfsStore } from "/dist-q/storage/opfs.js";
import { entriesOf } from "./storage-turns.mjs";
export async function run() {
  const worker = new Worker("/tests/bench/opfs-bare-worker.mjs", { type: "module" });
  await new Promise((r) => (worker.onmessage = r));
  for (const batch of [256, 16, 1]) {
    const store = await openOpfsStore({ name: "prof" + batch });
    await store.storage.load();
    let next = 1;
    const w = new WalWriter(0); for (const e of entriesOf(100000, batch)) w.entry(e); const bytes = w.take().slice();
    const s = { n: 0, encode: 0, posting: 0, wait: 0, done: 0, cutN: 0, cut: 0, bareN: 0, barePost: 0, bareWait: 0 };
    for (let round = 0; round < 30; round++) {
      for (let n = 0; n < 60; n++) {
        const entries = entriesOf(next, batch); next += batch;
        const a = performance.now();
        await store.storage.append({ hardState: undefined, snapshot: undefined, entries, sync: true });
        const b = performance.now();
        if (round < 4) continue;
        if (globalThis.__post - a > 0.8) { s.cutN++; s.cut += b - a; }
        else { s.n++; s.encode += globalThis.__post - a; s.posting += globalThis.__posted - globalThis.__post; s.wait += globalThis.__reply - globalThis.__posted; s.done += b - globalThis.__reply; }
      }
      for (let n = 0; n < 60; n++) {
        const c = bytes.slice();
        const a = performance.now(); let p, q;
        await new Promise((r) => { worker.onmessage = () => { q = performance.now(); r(); }; worker.postMessage(c, [c.buffer]); p = performance.now(); });
        if (round < 4) continue;
        s.bareN++; s.barePost += p - a; s.bareWait += q - p;
      }
    }
    const us = (sum, n) => (sum / n * 1000).toFixed(0);
    console.log(`batch ${batch}: encode ${us(s.encode, s.n)} post ${us(s.posting, s.n)} wait ${us(s.wait, s.n)} done ${us(s.done, s.n)} | cuts ${s.cutN} each ${us(s.cut, s.cutN)} | bare post ${us(s.barePost, s.bareN)} wait ${us(s.bareWait, s.bareN)}`);
  }
}
