/** The child of `torture kill`: the store in argv[2], the round in argv[3]. */
import { writeSync } from "node:fs";
import { openFileStore } from "../../dist/storage/file.js";
import { writeUntilKilled } from "./writer.mjs";

const [directory = "", round = "0"] = process.argv.slice(2);
const store = await openFileStore({ directory, segmentBytes: 100_000, trailingEntries: 50 });
await writeUntilKilled(store, Number(round), (line) => writeSync(1, `${line}\n`));
