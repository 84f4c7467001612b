const root = await navigator.storage.getDirectory();
const mk = async () => (await root.getFileHandle(`x-${Math.random()}`, { create: true })).createSyncAccessHandle();
const out = [];
const rec = new Uint8Array(300).fill(7), mark = new Uint8Array(20).fill(9);
async function life(name, { size = 0, zeros = false, note = 0, flush = true, bytes = rec, n = 1500 }) {
  const f = await mk(), m = await mk(); m.write(mark, { at: 0 }); m.flush();
  if (size) { f.truncate(size); if (zeros) f.write(new Uint8Array(size), { at: 0 }); f.flush(); }
  let at = 0; const t = performance.now(); let tn = 0, tf = 0, tw = 0;
  for (let k = 0; k < n; k++) {
    let a = performance.now(); f.write(bytes, { at }); at += bytes.length; let b = performance.now(); tw += b - a;
    if (flush) { f.flush(); a = performance.now(); tf += a - b; b = a; }
    if (note && k % note === 0) { m.write(mark, { at: 0 }); tn += performance.now() - b; }
  }
  const whole = performance.now() - t;
  out.push(`${name.padEnd(28)} per call ${(whole / n * 1000).toFixed(0)} us: write ${(tw / n * 1000).toFixed(0)} flush ${(tf / n * 1000).toFixed(0)} note ${(tn / n * 1000).toFixed(0)}`);
  f.close(); m.close();
}
for (let r = 0; r < 2; r++) {
  await life("grow", {}); await life("grow+note", { note: 1 }); await life("grow+note8", { note: 8 });
  await life("hole", { size: 4e6 }); await life("hole+note", { size: 4e6, note: 1 });
  await life("zeros", { size: 4e6, zeros: true }); await life("zeros+note", { size: 4e6, zeros: true, note: 1 }); await life("zeros+note8", { size: 4e6, zeros: true, note: 8 });
  await life("noflush+note", { flush: false, note: 1 });
  const big = new Uint8Array(70000).fill(3);
  await life("big grow", { bytes: big, n: 300 }); await life("big hole", { bytes: big, n: 300, size: 21e6 }); await life("big zeros", { bytes: big, n: 300, size: 21e6, zeros: true }); await life("big zeros+note", { bytes: big, n: 300, size: 21e6, zeros: true, note: 1 }); await life("big grow+note", { bytes: big, n: 300, note: 1 });
}
postMessage(out);
