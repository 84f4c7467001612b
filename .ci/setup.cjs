"use strict";
/**
 * Set-up: `node .ci/setup.cjs [script arguments…]` installs the packages when the lockfile asks for it, then runs the script.
 *
 * Plain ES2015 without dependencies: an old Node must get as far as being told so, and nothing is installed yet. The hash of
 * the lockfile is written into node_modules after `npm ci` has succeeded: while it stands nothing is to do, and an interrupted
 * installation is done again. Two set-ups at once wait for each other.
 */
const childProcess = require("child_process");
const crypto = require("crypto");
const fs = require("fs");
const os = require("os");
const path = require("path");

const minimum = [20, 19];
const root = path.join(__dirname, "..");
const donePath = path.join(root, "node_modules", ".logboom-setup");
const lockPath = path.join(root, ".setup-lock");
/** A holder touches its lock every second; one silent for this long is gone, whoever has its process id now. */
const lockSilenceMs = 15000;

/** A sentence when `version` ("v18.1.0") is too old, else undefined. */
function nodeProblem(version) {
  const parts = version.replace(/^v/, "").split(".").map(Number);
  const enough = parts[0] > minimum[0] || (parts[0] === minimum[0] && parts[1] >= minimum[1]);
  if (enough) return undefined;
  return `Logboom needs Node ${minimum.join(".")} or newer, and this is ${version}: please update Node.`;
}

/** A sentence when `userAgent` (npm_config_user_agent) is another package manager's, else undefined. */
function callerProblem(userAgent) {
  const name = String(userAgent || "npm").split("/")[0];
  if (name === "npm") return undefined;
  return `This repository is set up with npm (its lockfile is npm's), not with ${name}: please use npm.`;
}

/** How to run npm: the one that called us, else the one on the PATH. */
function npmCommand(env, platform) {
  if (env.npm_execpath && /npm-cli\.c?js$/.test(env.npm_execpath)) {
    return { file: process.execPath, args: [env.npm_execpath], shell: false };
  }
  // npm is a .cmd file on Windows, which only a shell can start.
  return { file: "npm", args: [], shell: platform === "win32" };
}

/** True when npm failed because it could not reach the registry. */
function isNetworkFailure(output) {
  return /ENOTFOUND|EAI_AGAIN|ENOTCACHED|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT/.test(
    output
  );
}

// ── Installing ───────────────────────────────────────────────────────────────────────────────────────────────────────

function setUp(done) {
  if (isDone()) return done();
  takeLock((release) => {
    if (isDone()) {
      release();
      return done();
    }
    install((problem) => {
      release();
      if (problem === undefined) done();
      else fail(problem);
    });
  });
}

function isDone() {
  return readIfThere(donePath) === wantedHash();
}

/** What the installation depends on: the packages, and the machine their binaries are for. */
function wantedHash() {
  const lockfile = fs.readFileSync(path.join(root, "package-lock.json"));
  const machine = `${process.platform} ${process.arch}`;
  return crypto.createHash("sha256").update(lockfile).update(machine).digest("hex");
}

function install(done) {
  const hash = wantedHash();
  const npm = npmCommand(process.env, process.platform);
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier"];
  // npm's own 10 s and 60 s between attempts are a long time to learn that there is no network.
  const patience = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
  console.error("Installing packages (npm ci) …");
  const child = childProcess.spawn(
    npm.file,
    npm.args.concat(["ci", "--include=dev", "--prefer-offline"], quiet, patience),
    { cwd: root, shell: npm.shell, stdio: ["ignore", "pipe", "pipe"] }
  );
  passSignals(child);
  let output = "";
  const keep = (text) => {
    output += text;
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => done(`npm could not be started (${error.message}).`));
  child.on("close", (code) => {
    if (code === 0) {
      fs.mkdirSync(path.dirname(donePath), { recursive: true });
      fs.writeFileSync(donePath, hash);
      done(undefined);
    } else if (isNetworkFailure(output)) {
      done(
        "The package registry cannot be reached and npm's cache lacks some packages: please connect once and try again."
      );
    } else if (/EUSAGE/.test(output)) {
      done("package-lock.json does not match package.json: please run npm run lockfile.");
    } else done(`${output}npm ci failed${code === null ? "" : ` (exit code ${code})`}.`);
  });
}

// ── One at a time ────────────────────────────────────────────────────────────────────────────────────────────────────

const lockText = `${os.hostname()} ${process.pid}`;

/** Calls `then(release)` once this process holds the lock. */
function takeLock(then) {
  let seen = "";
  let seenSince = Date.now();
  let told = false;
  const attempt = () => {
    if (create(lockPath)) return then(hold());
    const holder = readLock();
    if (holder.state !== seen) {
      seen = holder.state;
      seenSince = Date.now();
    }
    if (holder.isDead || Date.now() - seenSince > lockSilenceMs) removeStale(holder.state);
    else if (!told && holder.pid !== "") {
      told = true;
      console.error(`Another set-up is running (process ${holder.pid}): waiting for it …`);
    }
    setTimeout(attempt, 100);
  };
  attempt();
}

/** False when `file` is there already. */
function create(file) {
  try {
    fs.writeFileSync(file, lockText, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Keeps the lock fresh; the returned function gives it back. */
function hold() {
  const isOurs = () => readIfThere(lockPath) === lockText;
  const beat = setInterval(() => {
    const now = new Date();
    if (isOurs()) unlessGone(() => fs.utimesSync(lockPath, now, now));
  }, 1000);
  return function release() {
    clearInterval(beat);
    if (isOurs()) fs.unlinkSync(lockPath);
  };
}

/** `state` changes whenever the holder shows life. One that has not written its name yet counts as alive. */
function readLock() {
  const text = readIfThere(lockPath);
  const stat = unlessGone(() => fs.statSync(lockPath));
  if (text === undefined || stat === undefined) return { state: "", pid: "", isDead: false };
  const owner = text.split(" ");
  const pid = owner[1] || "";
  const isDead = owner[0] === os.hostname() && !isAlive(Number(pid));
  return { state: `${text} ${stat.mtime.getTime()}`, pid, isDead };
}

/**
 * Removes the lock if it is still the one in `state`. Only one process at a time may: the slower of two that found it stale
 * would otherwise remove the new lock of the faster one.
 */
function removeStale(state) {
  const turn = `${lockPath}-removal`;
  if (!create(turn)) {
    const stat = unlessGone(() => fs.statSync(turn));
    const age = stat === undefined ? 0 : Date.now() - stat.mtime.getTime();
    if (age > lockSilenceMs) unlessGone(() => fs.unlinkSync(turn)); // its owner died within a millisecond
    return;
  }
  if (readLock().state === state) unlessGone(() => fs.unlinkSync(lockPath));
  fs.unlinkSync(turn);
}

function isAlive(pid) {
  if (pid === process.pid) return false; // not held by us, so by an earlier process that had our id
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readIfThere(file) {
  return unlessGone(() => fs.readFileSync(file, "utf8"));
}

/** What `read` returns, or undefined when its file is not there. */
function unlessGone(read) {
  try {
    return read();
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

// ── What comes after ─────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Runs `script` as a child that ends with us: signals are passed on, and should we be killed outright, its IPC channel closes,
 * on which it stops by itself.
 */
function run(script, args) {
  const child = childProcess.spawn(process.execPath, [path.resolve(root, script)].concat(args), {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  passSignals(child);
  endWithParent(child);
  child.on("exit", (code, signal) => {
    process.exitCode = code === null ? 128 + os.constants.signals[signal || "SIGTERM"] : code;
  });
}

/** The child decides what a signal means, and we end when it has. */
function passSignals(child) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    const pass = () => child.kill(signal);
    process.on(signal, pass);
    child.on("close", () => process.removeListener(signal, pass));
  }
}

/** npm passes a SIGTERM to the shell between it and us, which dies of it and tells nobody. */
function endWithParent(child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, 250);
  child.on("exit", () => clearInterval(watch));
}

function fail(sentence) {
  console.error(sentence);
  process.exitCode = 1;
}

function main() {
  const problem = nodeProblem(process.version) || callerProblem(process.env.npm_config_user_agent);
  if (problem !== undefined) return fail(problem);
  setUp(() => {
    if (process.argv[2] !== undefined) run(process.argv[2], process.argv.slice(3));
  });
}

module.exports = { nodeProblem, callerProblem, npmCommand, isNetworkFailure };
if (require.main === module) main();
