/** Things to stop, stopped last first; a second call waits for the first. */
export function createStopStack(tell: (line: string) => void) {
  const entries: { name: string; stop: () => Promise<void> }[] = [];
  let stopping: Promise<void> | undefined;
  const run = async () => {
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
      try {
        await entry.stop();
      } catch (error) {
        tell(`${entry.name} did not stop cleanly: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  return {
    push: (name: string, stop: () => Promise<void>) => {
      entries.push({ name, stop });
    },
    stopAll: () => {
      stopping ??= run();
      return stopping;
    },
  };
}
