#!/usr/bin/env node
/**
 * The small-scope explorer: `npm run explore [-- NAME …]` goes through every order of events of small clusters (tests/sim/scopes.mjs), to the
 * end where that can be reached.
 *
 * Prints a line for each: distinct states, events between them, how deep it went, seconds. A broken invariant is printed with the way that
 * leads to it. The last line is JSON: { scopes, states, events, violations, incomplete, seconds }; `incomplete`
 * counts those that were to be gone through to the end and were not.
 */
import { fileURLToPath } from "node:url";
import { scopes } from "../tests/sim/scopes.mjs";
import { build } from "./build.mjs";

async function main() {
  const wanted = process.argv.slice(2);
  const names = scopes.map(({ name }) => name);
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no scope is called ${unknown.join(", ")}; there are ${names.join(", ")}`);
  }
  await build(["code"]);
  const { explore } = await import(
    fileURLToPath(new URL("../dist/testing/explorer.js", import.meta.url))
  );
  const total = { scopes: 0, states: 0, events: 0, violations: 0, incomplete: 0, seconds: 0 };
  for (const { name, what, partly, scope } of scopes) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    total.scopes++;
    const began = performance.now();
    console.log(`${name}: ${what}`);
    try {
      const { states, events, nodeStates, depth, complete } = explore(scope);
      total.states += states;
      total.events += events;
      if (!complete && partly !== true) total.incomplete++;
      console.log(
        `  ${states} states, ${nodeStates} of a node, ${events} events, depth ${depth}, ${complete ? "complete" : "not to the end"}, ${secondsSince(began).toFixed(1)} s`,
      );
    } catch (error) {
      total.violations++;
      console.log(/** @type {Error} */ (error).message);
    }
    total.seconds += secondsSince(began);
  }
  total.seconds = Math.round(total.seconds);
  console.log(JSON.stringify(total));
  if (total.violations + total.incomplete > 0) process.exitCode = 1;
}

/** @param {number} began */
function secondsSince(began) {
  return (performance.now() - began) / 1000;
}

try {
  await main();
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 2;
}
