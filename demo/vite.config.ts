/**
 * Builds the demo page to demo/dist: static files that any web server can hand out, from any folder.
 *
 * The page works under the strictest policy that allows it at all: own scripts and styles only, none of them inline. `blob:` for
 * workers is the room's clock, which must tick in hidden tabs too (DESIGN §9).
 */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' ws: wss:", // "'self'" alone does not cover the relay's socket in every browser
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Puts the policy into the built page, so that it also holds where the server sends no such header. */
function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: policy },
        injectTo: "head-prepend",
      },
    ],
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  plugins: [contentSecurityPolicy()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: true,
    // Inlined assets and the preload polyfill would be inline code, which the policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
