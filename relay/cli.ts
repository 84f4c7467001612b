#!/usr/bin/env node
/**
 * `npx logboom`: the relay as a process of its own, and a look into a store's directory.
 *
 * For a web server that exists already, `attachRelay` of `logboom/relay` is the other way in. Not here: TLS, which belongs to
 * whatever stands in front.
 */
import { statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { parseArgs } from "node:util";
import { readNodeDirectory } from "logboom/file";
import { inspect } from "logboom/inspect";
import { attachRelay } from "./attach.js";

const usage = `logboom relay [options]    forwards sealed signaling between the members of rooms

  --port N        default 8788, or PORT; 0 is any free one
  --host ADDRESS  default 127.0.0.1; 0.0.0.0 or :: for other machines
  --path PATH     of the WebSocket, default /relay
  --origin URL    whose pages may connect; may be repeated; default: any

logboom inspect DIRECTORY    prints what a store's directory holds (ours, or etcd's), changing nothing

  --verify        only says whether everything is whole; exit code 1 when it is not`;

interface Options {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly origins: readonly string[] | undefined;
}

async function main([command, ...args]: readonly string[]): Promise<void> {
  if ([command, ...args].some((word) => word === "--help" || word === "-h")) console.log(usage);
  else if (command === "relay") await serve(readRelayOptions(args, process.env["PORT"]));
  else if (command === "inspect") await look(args);
  else
    throw new Error(
      command === undefined ? "a command is missing" : `there is no command "${command}"`,
    );
}

function readRelayOptions(args: string[], portOfEnvironment: string | undefined): Options {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      port: text,
      host: { ...text, default: "127.0.0.1" },
      path: { ...text, default: "/relay" },
      origin: { ...text, multiple: true },
    },
  });
  const port = values.port ?? (portOfEnvironment || "8788");
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new Error(`the port must be a number from 0 to 65535, got "${port}"`);
  }
  if (!values.path.startsWith("/"))
    throw new Error(`--path must start with a slash, got "${values.path}"`);
  return { port: Number(port), host: values.host, path: values.path, origins: values.origin };
}

async function serve({ port, host, path, origins }: Options): Promise<void> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    response.end("logboom relay\n");
  });
  const relay = attachRelay(server, origins === undefined ? { path } : { path, origins });
  const taken = await listen(server, port, host);
  const shown = host.includes(":") ? `[${host}]` : host;
  console.log(`Relaying at ws://${shown}:${taken}${path}`);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      server.close();
      void relay.close().then(() => process.exit(0));
    });
  }
}

/** @returns the port, which is another one than given when that was 0 */
function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`port ${port} of ${host} cannot be used: ${error.message}`)),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

async function look(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    options: { verify: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [directory] = positionals;
  if (directory === undefined || positionals.length > 1) {
    throw new Error(`inspect takes one directory, got ${positionals.length}`);
  }
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    console.error(found ? `${directory} is no directory` : `there is no directory ${directory}`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = await inspect(readNodeDirectory(directory), {
    verify: values.verify,
    print: (line) => console.log(line),
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  process.exit(1);
});
