/** CheckedMetrics: what a simulated node is watched with: each sample must fit what the table of metrics says of its name. */
import type { NodeId } from "../core/types.js";
import { type Metric, type MetricName, type Metrics, metricTable } from "../runtime/metrics.js";
import { demand } from "./violation.js";

export function checkedMetrics(id: NodeId, check: (run: () => void) => void): Metrics {
  const sample = (kind: Metric["kind"], name: MetricName, value: number): void =>
    check(() =>
      demand(
        metricTable[name].kind === kind && Number.isFinite(value) && value >= 0,
        "metrics",
        () => `node ${id}: ${kind} ${name} is ${value}`,
      ),
    );
  return {
    count: (name, by = 1) => sample("counter", name, by),
    gauge: (name, value) => sample("gauge", name, value),
    observe: (name, value) => sample("histogram", name, value),
  };
}
