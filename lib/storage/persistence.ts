/** Asking the browser not to evict this origin's data. */

/**
 * Asks once for persistent storage. Some browsers ask the user, some decide by themselves; headless ones say no.
 *
 * @returns what was answered; undefined where there is nobody to ask (Node, older browsers, insecure contexts)
 */
export async function askForPersistence(
  manager: StorageManager | undefined = globalThis.navigator?.storage,
): Promise<boolean | undefined> {
  try {
    if (typeof manager?.persist !== "function") return undefined;
    if (await manager.persisted()) return true;
    return await manager.persist();
  } catch {
    return undefined;
  }
}
