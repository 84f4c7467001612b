/** Closing: several things one after the other, each whatever became of those before it. */

/** @throws the first failure, once all were tried */
export async function closeEach(...closes: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closes) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
