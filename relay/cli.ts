#!/usr/bin/env node
/**
 * `npx logboom relay`: the relay as a process of its own.
 *
 * For a web server that exists already, `attachRelay` of `logboom/relay` is the other way in. Not here: TLS, which belongs to
 * whatever stands in front.
 */
import { createServer, type Server } from "node:http";
import { parseArgs } from "node:util";
import { attachRelay } from "./attach.js";

const usage = `logboom relay [options]    forwards sealed signaling between the members of rooms

  --port N        default 8788, or PORT; 0 is any free one
  --host ADDRESS  default 127.0.0.1; 0.0.0.0 or :: for other machines
  --path PATH     of the WebSocket, default /relay
  --origin URL    whose pages may connect; may be repeated; default: any`;

interface Options {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly origins: readonly string[] | undefined;
}

async function main(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === "--help" || command === "-h") return console.log(usage);
  if (command !== "relay")
    return fail(command === undefined ? usage : `there is no command "${command}"\n\n${usage}`);
  let options: Options | undefined;
  try {
    options = readOptions(rest, process.env["PORT"]);
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${usage}`);
  }
  if (options === undefined) return console.log(usage);
  await serve(options);
}

/** undefined when only the usage was asked for. */
function readOptions(args: string[], portOfEnvironment: string | undefined): Options | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      port: text,
      host: { ...text, default: "127.0.0.1" },
      path: { ...text, default: "/relay" },
      origin: { ...text, multiple: true },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return undefined;
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
  if (taken === undefined) return;
  const shown = host.includes(":") ? `[${host}]` : host;
  console.log(`Relaying at ws://${shown}:${taken}${path}`);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      server.close();
      void relay.close().then(() => process.exit(0));
    });
  }
}

/** The port, or undefined after saying why there is none. */
function listen(server: Server, port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    server.once("error", (error) => {
      fail(`Port ${port} of ${host} cannot be used: ${error.message}`);
      resolve(undefined);
      process.exit();
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function fail(sentence: string): void {
  console.error(sentence);
  process.exitCode = 1;
}

await main(process.argv.slice(2));
