import { messageOf } from "@ngpu/runtime/errors";

type Entry = { name: string; stop: () => Promise<void> };

/** Things to stop, stopped last first; a second call waits for the first. */
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
     * Stops everything; what cannot be stopped does not keep the rest from being stopped.
     *
     * @returns What did not stop cleanly, a line each.
     */
    stopAll: (progress: (name: string) => void) => {
      stopping ??= run(progress);
      return stopping;
    },
    isEmpty: () => entries.length === 0,
  };
}
