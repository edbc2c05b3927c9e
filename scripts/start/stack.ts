import { messageOf } from "@ngpu/runtime/errors";

type Entry = { name: string; stop: () => Promise<void> };

/** A stack of parts to stop, in reverse order. A second call of `stopAll` waits for the first. */
export function createStopStack() {
  const entries: Entry[] = [];
  let stopping: Promise<string[]> | undefined;
  const run = async (progress: (name: string) => void) => {
    const errors: string[] = [];
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
      progress(entry.name);
      try {
        await entry.stop();
      } catch (error) {
        errors.push(`${entry.name} did not stop cleanly: ${messageOf(error)}`);
      }
    }
    return errors;
  };
  return {
    push: (name: string, stop: () => Promise<void>) => {
      entries.push({ name, stop });
    },
    /**
     * Stops everything. A part that does not stop does not prevent the others from being stopped.
     *
     * @returns One line for each part that did not stop cleanly.
     */
    stopAll: (progress: (name: string) => void) => {
      stopping ??= run(progress);
      return stopping;
    },
    isEmpty: () => entries.length === 0,
  };
}
