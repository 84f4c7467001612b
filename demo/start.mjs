/**
 * `npm start`: builds what changed and serves demo and relay on one origin until it is told to stop.
 *
 * The port is fixed, since browsers keep a board per origin, the port included. It is taken before anything is built, so that two
 * starts at once are noticed at once; until the build is done the page says so.
 */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BuildError, build } from "../.ci/build.mjs";
import { plain, readFiles, serveFile } from "./static.mjs";

const defaultPort = 8787;
const wellKnown = "/.well-known/logboom-demo";
const ourName = "logboom demo";
const usage = `npm start -- [--port N]    serves the demo and its relay; N is ${defaultPort} unless given here or in PORT`;

/** Says what is wrong in a sentence, without a stack. */
class UsageError extends Error {}

async function main() {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) return console.log(usage);

  /** @type {Map<string, import("./static.mjs").File> | undefined} */
  let files;
  const server = createServer((request, response) => {
    if (request.url === wellKnown) return plain(response, 200, ourName);
    if (files === undefined)
      return plain(response, 503, "The demo is being built: reload in a moment.");
    serveFile(files, request, response);
  });
  const port = await listen(server, options.port);
  if (port === undefined) return console.log(`The demo is running already: ${urlOf(options.port)}`);

  const stopping = new AbortController();
  /** @type {(() => unknown)[]} */
  const closers = [];
  onceTold(() => {
    stopping.abort();
    for (const close of closers) close();
    process.exit();
  });

  await build(undefined, { signal: stopping.signal });
  const { attachRelay } = await import("logboom/relay");
  const relay = attachRelay(server, { path: "/relay" });
  closers.push(() => relay.close());
  files = readFiles(fileURLToPath(new URL("dist", import.meta.url)));
  console.log(`Logboom's demo is at ${urlOf(port)} (Ctrl-C stops it)`);
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function readOptions(args, env) {
  try {
    const { values } = parseArgs({
      args,
      options: { port: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
    return {
      help: values.help,
      port: readPort(values.port, "--port") ?? readPort(env["PORT"], "PORT") ?? defaultPort,
    };
  } catch (error) {
    throw new UsageError(`${/** @type {Error} */ (error).message}\n${usage}`);
  }
}

/** @param {string | undefined} text @param {string} name */
function readPort(text, name) {
  if (text === undefined || (text === "" && name === "PORT")) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new UsageError(`${name} must be a number from 0 (any free port) to 65535, got "${text}"`);
}

/**
 * Listens on `port` of this machine alone, by IPv4 and, where there is one, IPv6: browsers try both for "localhost".
 * @param {import("node:http").Server} server
 * @param {number} port  0 is any free one
 * @returns {Promise<number | undefined>} the port, or undefined when our own demo holds it
 * @throws UsageError when somebody else does
 */
async function listen(server, port) {
  const twin = createServer();
  twin.on("request", (...event) => server.emit("request", ...event));
  twin.on("upgrade", (...event) => server.emit("upgrade", ...event));
  try {
    await listenAt(server, port, "127.0.0.1");
    const taken = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
    await listenAt(twin, taken, "::1").catch((error) => {
      if (error.code === "EADDRINUSE") throw error; // any other: this machine has no IPv6
    });
    return taken;
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    server.close();
    if (code !== "EADDRINUSE") throw new UsageError(`Port ${port} cannot be used: ${message}`);
    if (await isOurs(port)) return undefined;
    throw new UsageError(
      `Port ${port} is in use by another program. Boards are kept per port, so stop that program to see the ones you know, ` +
        `or choose another port for a fresh one: npm start -- --port ${port < 65535 ? port + 1 : port - 1}`,
    );
  }
}

/** @param {import("node:http").Server} server @param {number} port @param {string} host */
function listenAt(server, port, host) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host }, () => resolve(undefined));
  });
}

/** @param {number} port */
async function isOurs(port) {
  try {
    const answer = await fetch(new URL(wellKnown, urlOf(port)), {
      signal: AbortSignal.timeout(2000),
      redirect: "error",
    });
    return answer.ok && (await answer.text()).trim() === ourName;
  } catch {
    return false; // no HTTP, no answer, another's answer: not ours
  }
}

/** @param {number} port */
function urlOf(port) {
  return `http://localhost:${port}/`;
}

/**
 * Calls `stop` on Ctrl-C, on being told to end, and when the set-up script that started us is gone.
 * @param {() => void} stop
 */
function onceTold(stop) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, stop);
  process.once("disconnect", stop);
}

main().catch((error) => {
  if (error.name === "AbortError") return; // stopped while building
  console.error(
    error instanceof UsageError || error instanceof BuildError
      ? error.message
      : (error.stack ?? error),
  );
  process.exit(1);
});
