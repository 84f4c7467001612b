/** A typed list of listeners. A listener that throws harms nobody else: its error goes to `onError`. */

export interface Emitter<T> {
  /** Adds `listener`; the returned function removes it. */
  on(listener: (event: T) => void): () => void;
  emit(event: T): void;
  /** Removes every listener. */
  clear(): void;
}

/** @param onError  what becomes of a listener's error; by default it is thrown in a microtask of its own, so that it is
 *                  reported as uncaught without disturbing the emitter. */
export function createEmitter<T>(onError: (error: unknown) => void = rethrowLater): Emitter<T> {
  const listeners = new Set<(event: T) => void>();
  return {
    on(listener) {
      // Wrapped, so that the same function added twice is called twice and removed one at a time.
      const entry = (event: T): void => listener(event);
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
    emit(event) {
      for (const listener of [...listeners]) {
        try {
          listener(event);
        } catch (error) {
          onError(error);
        }
      }
    },
    clear() {
      listeners.clear();
    },
  };
}

function rethrowLater(error: unknown): void {
  void Promise.reject(error);
}
