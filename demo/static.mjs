/**
 * The demo's files over HTTP.
 *
 * They are read once at the start into a map from URL path to content, so a request can name nothing else: there is no path
 * to climb. A demo built anew meanwhile does not mix with the one being served.
 */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, sep } from "node:path";

/** @type {Record<string, string>} */
const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** @typedef {{ body: Buffer, type: string, cache: string }} File */

/**
 * @param {string} folder
 * @returns {Map<string, File>}
 */
export function readFiles(folder) {
  /** @type {Map<string, File>} */
  const files = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = join(entry.parentPath, entry.name);
    const path = `/${full.slice(folder.length).split(sep).filter(Boolean).join("/")}`;
    const type = types[extname(full)] ?? "application/octet-stream";
    // Vite puts a hash of the content into the names under assets/; the page that names them must be fresh.
    const cache = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    files.set(path, { body: readFileSync(full), type, cache });
  }
  const index = files.get("/index.html");
  if (index !== undefined) files.set("/", index);
  return files;
}

/**
 * Answers a request from `files`.
 * @param {ReadonlyMap<string, File>} files
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
export function serveFile(files, request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return plain(response, 405, "method not allowed");
  }
  const file = files.get(pathOf(request.url ?? "/"));
  if (file === undefined) return plain(response, 404, "not found");
  response.writeHead(200, {
    "content-type": file.type,
    "content-length": file.body.length,
    "cache-control": file.cache,
    "content-security-policy": policyFor(request.headers.host),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  response.end(request.method === "HEAD" ? undefined : file.body);
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {string} text */
export function plain(response, status, text) {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(`${text}\n`);
}

/** @param {string} url  as in the request line: anything */
function pathOf(url) {
  const path = /^[^?#]*/.exec(url)?.[0] ?? "";
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * Only our own code, the relay on our own origin, and the worker that ticks (a Blob). `'self'` does not cover `ws:` in every
 * browser, so the origin is named.
 * @param {string | undefined} host  the request's Host header: used only when it looks like one
 */
function policyFor(host) {
  const relay = /^[\w.-]+(:\d+)?$/.test(host ?? "") ? ` ws://${host} wss://${host}` : "";
  return [
    "default-src 'self'",
    `connect-src 'self'${relay}`,
    "img-src 'self' data:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
