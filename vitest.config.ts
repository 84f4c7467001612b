/** Unit tests: `node` for what is pure or Node's, `browser` for what needs a real Chromium (IndexedDB, locks, WebRTC). */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { launchOptions } from "./.ci/chromium.mjs";
import { sourceAlias } from "./.ci/source-alias.mjs";

const browserTests = "tests/**/*.browser.test.ts";

export default defineConfig({
  resolve: { alias: sourceAlias() },
  test: {
    // Bounds for what hangs, not for what is slow: the machine may be busy.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "node",
          environment: "node",
          include: ["tests/**/*.test.ts"],
          exclude: [browserTests, "tests/e2e/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: [browserTests],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions() }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});
