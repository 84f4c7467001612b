/**
 * A demo server of a story's or a benchmark's own, which it can stop: page and relay on one origin, as `npm start` serves them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../demo/start.mjs", import.meta.url));

/** @typedef {{ readonly url: string, readonly port: number, stop(): Promise<void> }} DemoServer  its URL has a slash at its end */

/**
 * @param {number} [port]  0 is any free one
 * @param {readonly string[]} [wrapper]  a program to run it in, with its arguments
 * @returns {Promise<DemoServer>}
 */
export async function startDemo(port = 0, wrapper = []) {
  const [program = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    script,
    "--port",
    String(port),
  ];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const url = await urlFrom(child.stdout);
  return {
    url,
    port: Number(new URL(url).port),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** @param {import("node:stream").Readable} output */
async function urlFrom(output) {
  for await (const line of createInterface(output)) {
    const url = /http:\/\/localhost:\d+\//.exec(line)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error("demo/start.mjs ended before it printed its URL");
}
