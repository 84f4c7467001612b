/**
 * Ends with the process that started us: on its signals, and when the IPC channel to it closes because it was killed outright.
 */

/**
 * @param {() => void} stop  called before the process ends with exit code 1
 * @returns {() => void} lets go of the parent, which leaves the exit code alone; without it an open channel keeps us alive
 */
export function endWithParent(stop) {
  const end = () => {
    stop();
    process.exit(1);
  };
  const events = ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"];
  for (const event of events) process.once(event, end);
  return () => {
    // Before `disconnect()`, which would otherwise be heard as the parent's end.
    for (const event of events) process.removeListener(event, end);
    process.disconnect?.();
  };
}
