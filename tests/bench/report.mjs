/**
 * What every benchmark prints: a table of ours beside the reference of the same run, and as its last line one JSON object
 * `{ "bench", "results": [{ "name", "unit", "ours", "reference", "ratio" }] }`.
 *
 * `ratio` says how many times better ours is, whichever way the unit points. It and `reference` are null where nothing stands beside ours.
 */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} unit  more is better where it ends with "/s", else less
 * @property {number} ours
 * @property {number | null} reference
 * @property {number | null} ratio
 */

/** @typedef {{ ratio?: number, least?: number, most?: number }} Goal  the least ratio, or the least or most that ours may be */

/** @typedef {{ name: string, unit: string, ours: number, reference?: number | undefined, goal?: Goal | undefined }} Figure */

/** @param {Figure} figure @returns {Result} */
export function resultOf({ name, unit, ours, reference }) {
  if (reference === undefined) return { name, unit, ours, reference: null, ratio: null };
  const ratio = unit.endsWith("/s") ? ours / reference : reference / ours;
  return { name, unit, ours, reference, ratio };
}

/** @param {string} bench @param {string} referenceName @param {readonly Figure[]} figures */
export function printReport(bench, referenceName, figures) {
  const rows = [["", "ours", referenceName, "ratio", "goal"], ...figures.map(rowOf)];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(cells.join("  ").trimEnd());
  }
  console.log(JSON.stringify({ bench, results: figures.map(resultOf) }));
}

/** @param {Figure} figure */
function rowOf(figure) {
  const { name, unit, ours, reference, ratio } = resultOf(figure);
  return [
    name,
    `${shown(ours)} ${unit}`,
    reference === null ? "" : `${shown(reference)} ${unit}`,
    ratio === null ? "" : `${ratio.toFixed(2)}×`,
    judged(figure.goal, ours, ratio),
  ];
}

/** @param {Goal | undefined} goal @param {number} ours @param {number | null} ratio */
function judged(goal, ours, ratio) {
  if (goal === undefined) return "";
  const { ratio: least = 0, least: from = -Infinity, most = Infinity } = goal;
  const reached = (ratio ?? 0) >= least && ours >= from && ours <= most;
  const texts = [
    goal.ratio === undefined ? "" : `${shown(goal.ratio)}×`,
    goal.least === undefined ? "" : `≥ ${shown(goal.least)}`,
    goal.most === undefined ? "" : `≤ ${shown(goal.most)}`,
  ];
  return `${texts.join("")} ${reached ? "reached" : "MISSED"}`;
}

/** @param {number} value */
function shown(value) {
  const whole = Math.abs(value) >= 100 || Number.isInteger(value);
  return value.toLocaleString("en", { maximumFractionDigits: whole ? 0 : 2 });
}

/** To where progress goes, so that the figures alone are on the standard output. @param {string} what */
export function begin(what) {
  console.error(`measuring ${what} …`);
}
