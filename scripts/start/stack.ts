import { messageOf } from "@ngpu/runtime/errors";

type Entry = { name: string; stop: () => Promise<void>; group: string | undefined };

/** Registers a part to stop. Parts of one group that were registered one after the other are stopped together. */
export type OnStop = (name: string, stop: () => Promise<void>, group?: string) => void;

/**
 * A stack of parts to stop, in reverse order, those of a group together. A second call of `stopAll` waits for the first.
 */
export function createStopStack() {
  const entries: Entry[] = [];
  let stopping: Promise<string[]> | undefined;
  const run = async (progress: (name: string) => void) => {
    const errors: string[] = [];
    for (let together = popGroup(entries); together.length > 0; together = popGroup(entries)) {
      progress(together.map(({ name }) => name).join(", "));
      await Promise.all(
        together.map(async ({ name, stop }) => {
          try {
            await stop();
          } catch (error) {
            errors.push(`${name} did not stop cleanly: ${messageOf(error)}`);
          }
        }),
      );
    }
    return errors;
  };
  const push: OnStop = (name, stop, group) => {
    entries.push({ name, stop, group });
  };
  return {
    push,
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

/** Removes the last entry, and those before it that are in its group. Empty when there is no entry. */
function popGroup(entries: Entry[]): Entry[] {
  const group = entries.at(-1)?.group;
  const before = entries.findLastIndex((entry) => entry.group !== group);
  return entries.splice(group === undefined ? Math.max(0, entries.length - 1) : before + 1).reverse();
}
