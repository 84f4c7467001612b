/** The bare medium of OPFS: whoever asks gets the bytes written and flushed. A page cannot flush itself, so both sides ask. */
const root = await navigator.storage.getDirectory();
const file = await root.getFileHandle(`bare-${Math.random()}`, { create: true });
const access = await file.createSyncAccessHandle();
let at = 0, n = 0, w = 0, f = 0;
addEventListener("message", ({ data }) => {
  const a = performance.now();
  at += access.write(data, { at }); const b = performance.now();
  access.flush(); const c = performance.now(); n++; w += b - a; f += c - b; if (n % 1000 === 0) { console.log("bare write", w.toFixed(0), "flush", f.toFixed(0)); w = f = 0; }
  postMessage(at);
});
postMessage("ready");
