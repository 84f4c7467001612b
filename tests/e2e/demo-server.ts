/**
 * A demo server of a story's own, which it can stop: page and relay on one origin, as `npm start` serves them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../demo/start.mjs", import.meta.url));

export interface DemoServer {
  /** With a slash at its end. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** @param port 0 is any free one  @param wrapper a program to run it in, with its arguments */
export async function startDemo(port = 0, wrapper: readonly string[] = []): Promise<DemoServer> {
  const [program = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    script,
    "--port",
    String(port),
  ];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const url = await urlFrom(child);
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

async function urlFrom(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the demo's output is not piped");
  for await (const line of createInterface(child.stdout)) {
    const url = /http:\/\/localhost:\d+\//.exec(line)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error("demo/start.mjs ended before it printed its URL");
}
