/** Where npm's program is. */
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The npm that runs us, else the one on the PATH. */
export function npmCli(): string {
  const ours = process.env["npm_execpath"];
  if (ours?.endsWith("npm-cli.js")) return ours;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const npm = folders.map((folder) => join(folder, "npm")).find((file) => existsSync(file));
  if (npm === undefined) throw new Error("npm is not on the PATH");
  return realpathSync(npm);
}
