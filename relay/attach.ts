/**
 * The relay: forwards sealed envelopes between the members of a room and announces who comes and goes.
 *
 * It is handed an HTTP server and takes the upgrades of one path; everything else is left to the server's other listeners. It
 * keeps nothing, parses no body, knows no secret and never throws for what a client does: garbage ends the connection
 * it came on. Published as `logboom/relay`.
 */
import { randomInt } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { relayFrameBytesMax } from "logboom/relay-protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { Connection, type Surroundings } from "./connection.js";
import { type RelayLimits, relayLimits } from "./limits.js";
import { Rooms } from "./rooms.js";
import { newCounters, type RelayStats } from "./stats.js";

export interface RelayOptions extends Partial<RelayLimits> {
  /** Path of the WebSocket. Default `/relay`. */
  readonly path?: string;
  /** Hosts (`relay.example`, `localhost:8080`) clients may have dialled; default: any. */
  readonly hosts?: readonly string[];
  /** Values of `Origin` that may connect; default: any. Clients without one (Node) always may: what protects a room is its proof. */
  readonly origins?: readonly string[];
}

export interface Relay {
  readonly stats: RelayStats;
  /** Cuts every connection and lets go of the server, which goes on. Idempotent. */
  close(): Promise<void>;
}

/** @throws RangeError for a limit that is not a positive integer. */
export function attachRelay(server: Server, options: RelayOptions = {}): Relay {
  const { path = "/relay", hosts, origins, ...given } = options;
  const limits = relayLimits(given);
  const counters = newCounters();
  const surroundings: Surroundings = {
    rooms: new Rooms(limits.rooms, limits.membersPerRoom),
    limits,
    counters,
    hosts: hosts === undefined ? undefined : new Set(hosts),
    now: () => performance.now(),
  };
  const connections = new Map<number, Connection>();
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false, // a compression bomb needs compression
    maxPayload: relayFrameBytesMax,
    clientTracking: true,
    ...fragmentLimits,
  });

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (pathOf(request) !== path) {
      if (server.listenerCount("upgrade") === 1) refuse(stream, "404 Not Found");
      return;
    }
    const waiting = [...connections.values()].filter((connection) => !connection.joined).length;
    if (connections.size >= limits.connections || waiting >= limits.waiting) {
      counters.refusedUpgrades++;
      refuse(stream, "503 Service Unavailable", "Retry-After: 5\r\n");
    } else if (!allowedOrigin(request, origins)) {
      counters.refusedUpgrades++;
      refuse(stream, "403 Forbidden");
    } else {
      sockets.handleUpgrade(request, stream, head, accept);
    }
  };

  const accept = (socket: WebSocket): void => {
    socket.on("error", ignore); // too large, bad frame, reset: `close` follows
    const connId = freshId(connections);
    const connection = new Connection(socket, connId, surroundings);
    connections.set(connId, connection);
    socket.on("close", () => {
      connections.delete(connId);
      connection.gone();
    });
  };

  let checks = 0;
  const checkMs = Math.min(1000, limits.joinMs, limits.pingMs);
  const checking = setInterval(() => {
    const ping = ++checks % Math.max(1, Math.round(limits.pingMs / checkMs)) === 0;
    for (const connection of connections.values()) connection.check(ping);
  }, checkMs);
  checking.unref();
  server.on("upgrade", upgrade);

  return {
    get stats() {
      return { ...counters, connections: connections.size, rooms: surroundings.rooms.size };
    },
    async close() {
      clearInterval(checking);
      server.off("upgrade", upgrade);
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
    },
  };
}

/** ws reassembles a message from any number of fragments unless told otherwise (its advisory of May 2026); older types do not know these. */
const fragmentLimits: object = { maxFragments: 8, maxBufferedChunks: 64 };

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function allowedOrigin(request: IncomingMessage, origins: readonly string[] | undefined): boolean {
  const { origin } = request.headers;
  return origins === undefined || origin === undefined || origins.includes(origin);
}

function refuse(stream: Duplex, status: string, headers = ""): void {
  stream.on("error", ignore);
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n${headers}Content-Length: 0\r\n\r\n`);
}

function freshId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(1, 2 ** 32);
    if (!taken.has(id)) return id;
  }
}

/** Errors of a socket that is closing anyway. */
function ignore(): void {}
