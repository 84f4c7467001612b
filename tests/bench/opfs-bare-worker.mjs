/** The bare medium of OPFS: whoever asks gets the bytes written and flushed. A page cannot flush itself, so both sides ask. */
const root = await navigator.storage.getDirectory();
const file = await root.getFileHandle(`bare-${Math.random()}`, { create: true });
const access = await file.createSyncAccessHandle();
let at = 0;
addEventListener("message", ({ data }) => {
  at += access.write(data, { at });
  access.flush();
  postMessage(at);
});
postMessage("ready");
