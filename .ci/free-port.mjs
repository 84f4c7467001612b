/**
 * A port for a server that is started later, by another process.
 *
 * Not one that the system chose: those come from the range out of which it gives ports to outgoing connections, and by the time the
 * server starts one of these may have it. Below that range nobody takes a port unasked.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Linux gives away 32768–60999 of its own accord, the others 49152–65535. */
const range = /** @type {const} */ ([20_000, 32_000]);

/** @returns {Promise<number>} a port of 127.0.0.1 that was free a moment ago */
export async function freePort() {
  for (;;) {
    const port = randomInt(...range);
    if (await isFree(port)) return port;
  }
}

/** @param {number} port */
async function isFree(port) {
  const probe = createServer();
  try {
    await once(probe.listen(port, "127.0.0.1"), "listening");
  } catch (error) {
    if (error.code === "EADDRINUSE") return false;
    throw error;
  }
  await new Promise((resolve) => probe.close(resolve));
  return true;
}
