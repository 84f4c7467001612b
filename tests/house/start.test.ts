/** `npm start`'s server: options, the port, what it serves, and that it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { readFiles, serveFile } from "../../demo/static.mjs";

const script = join(import.meta.dirname, "../../demo/start.mjs");

describe("options", { timeout: 30_000 }, () => {
  const range = "must be a number from 0 (any free port) to 65535, got";
  test.each([
    { given: "--prot 9000", says: "Unknown option '--prot'" },
    { given: "9000", says: "Unexpected argument '9000'" },
    { given: "--port", says: "argument missing" },
    { given: "--port http", says: `--port ${range} "http"` },
    { given: "--port 65536", says: `--port ${range} "65536"` },
    { given: "PORT=-1", says: `PORT ${range} "-1"` },
  ])("$given: $says", async ({ given, says }) => {
    const [, inEnvironment] = given.split("PORT=");
    const start =
      inEnvironment === undefined
        ? new Start(given.split(" "))
        : new Start([], { PORT: inEnvironment });
    const { code, stdout, stderr } = await start.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr).toContain("npm start -- [--port N]");
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe("a busy port", { timeout: 30_000 }, () => {
  const holders = [
    {
      host: "127.0.0.1",
      held: "by another web server",
      server: () => createServer((_, response) => response.end("hello")),
    },
    {
      host: "127.0.0.1",
      held: "by something that is no web server",
      server: () => createTcpServer((socket) => socket.end("220 hello\r\n")),
    },
    { host: "127.0.0.1", held: "by something that never answers", server: () => createTcpServer() },
  ];
  const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === "::1"),
  );
  if (hasIPv6)
    holders.push({ held: "by IPv6 alone", host: "::1", server: () => createTcpServer() });

  test.each(holders)("held $held: named, with what to do", async ({ host, server }) => {
    const holder = server();
    holder.listen(0, host);
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const { code, stdout, stderr } = await new Start(["--port", `${port}`]).ended;
    holder.close();
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`Port ${port} is in use by another program. Boards are kept per port`);
    expect(stderr).toMatch(/npm start -- --port \d+\n$/);
  });
});

describe("the running demo", { timeout: 120_000 }, () => {
  let demo: Start;
  let url: URL;
  beforeAll(async () => {
    demo = new Start(["--port", "0"]);
    url = new URL(await demo.url());
  }, 120_000);
  afterAll(() => demo.child.kill("SIGKILL"));

  test("prints exactly one URL", () => {
    expect(demo.stdout.match(/https?:\/\/\S+/g)).toEqual([url.href]);
  });

  test("serves the page, and nothing that only its own code may not do", async () => {
    const page = await fetch(url);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://${url.host}`);
    expect(policy).not.toContain("unsafe");
    const script = /src="\.?(\/assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
    const code = await fetch(new URL(`${script}`, url));
    expect(code.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(code.headers.get("cache-control")).toContain("immutable");
  });

  test("has its relay on the same origin", async () => {
    const socket = new WebSocket(new URL("/relay", url.href.replace("http", "ws")));
    await once(socket, "open");
    socket.terminate();
  });

  test("is found by a second start, which leaves with its URL", async () => {
    const { code, stdout, stderr } = await new Start(["--port", url.port]).ended;
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `The demo is running already: ${url.href}\n`,
      stderr: "",
    });
  });
});

describe("its end", { timeout: 120_000 }, () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it with code 0, connections or not",
    async (signal) => {
      const demo = new Start(["--port", "0"]);
      const url = new URL(await demo.url());
      const socket = new WebSocket(new URL("/relay", url.href.replace("http", "ws")));
      await once(socket, "open");
      const closed = once(socket, "close");
      demo.child.kill(signal);
      expect(await demo.ended).toMatchObject({ code: 0 });
      await closed;
      await expect(fetch(url)).rejects.toThrow();
    },
  );
});

describe("files", () => {
  const folder = mkdtempSync(join(tmpdir(), "logboom-files-"));
  let server: Server | undefined;
  afterEach(() => server?.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    { method: "GET", path: "/", status: 200 },
    { method: "GET", path: "/?x=1#y", status: 200 },
    { method: "HEAD", path: "/index.html", status: 200 },
    { method: "GET", path: "/a%20b.txt", status: 200 },
    { method: "GET", path: "/secret.txt", status: 404 },
    { method: "GET", path: "/../secret.txt", status: 404 },
    { method: "GET", path: "/%2e%2e/secret.txt", status: 404 },
    { method: "GET", path: "/..%2fsecret.txt", status: 404 },
    { method: "GET", path: "/%zz", status: 404 },
    { method: "GET", path: "/__proto__", status: 404 },
    { method: "POST", path: "/", status: 405 },
  ])("$method $path: $status", async ({ method, path, status }) => {
    mkdirSync(join(folder, "public"), { recursive: true });
    writeFileSync(join(folder, "public/index.html"), "<!doctype html>");
    writeFileSync(join(folder, "public/a b.txt"), "text");
    writeFileSync(join(folder, "secret.txt"), "secret");
    const files = readFiles(join(folder, "public"));
    server = createServer((incoming, response) => serveFile(files, incoming, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    // Not fetch, which would tidy the path up first.
    const asked = request({ host: "127.0.0.1", port, method, path, agent: false }).end();
    const [answer] = await once(asked, "response");
    answer.resume();
    expect(answer.statusCode).toBe(status);
  });
});

/** A start of the server, as npm would do it. */
class Start {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [script, ...args], { env: { ...process.env, ...env } });
    this.child.stdout?.on("data", (text) => {
      this.stdout += text;
    });
    this.child.stderr?.on("data", (text) => {
      this.stderr += text;
    });
    this.ended = once(this.child, "close").then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** The URL it prints once it serves. */
  async url(): Promise<string> {
    for (;;) {
      const url = /http:\S+/.exec(this.stdout)?.[0];
      if (url !== undefined) return url;
      const over = this.ended.then(({ stderr }) => {
        throw new Error(`the demo ended: ${stderr}`);
      });
      await Promise.race([once(this.child.stdout ?? this.child, "data"), over]);
    }
  }
}
