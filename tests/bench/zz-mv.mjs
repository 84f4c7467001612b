const root = await navigator.storage.getDirectory();
const out = []; const s = {};
const add = (k, ms) => { (s[k] ??= []).push(ms); };
for (let n = 0; n < 60; n++) {
  let t = performance.now(); const h = await root.getFileHandle(`t-${n % 2}`, { create: true }); add("getFileHandle create", performance.now() - t);
  t = performance.now(); let a = await h.createSyncAccessHandle(); add("createAccess", performance.now() - t);
  t = performance.now(); a.truncate(0); a.truncate(4e6); add("truncate", performance.now() - t);
  t = performance.now(); a.write(new Uint8Array(100), { at: 0 }); add("write", performance.now() - t);
  t = performance.now(); a.flush(); add("flush", performance.now() - t);
  t = performance.now(); a.close(); add("close", performance.now() - t);
  t = performance.now(); await h.move(root, `s-${n}`); add("move", performance.now() - t);
  t = performance.now(); a = await h.createSyncAccessHandle(); add("createAccess2", performance.now() - t);
  a.write(new Uint8Array(70000), { at: 0 }); a.flush();
  t = performance.now(); a.truncate(70000); add("truncate down", performance.now() - t);
  t = performance.now(); a.close(); add("close2", performance.now() - t);
}
for (const [k, v] of Object.entries(s)) { v.sort((a, b) => a - b); out.push(`${k.padEnd(22)} p50 ${v[30].toFixed(2)} mean ${(v.reduce((a, b) => a + b, 0) / v.length).toFixed(2)}`); }
postMessage(out);
