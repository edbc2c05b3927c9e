/** Remembers what was reported as stuck, so that each instance logs and counts it once. */
export type StuckReports = {
  /** True the first time for a key. */
  isNew(key: string): boolean;
};

/** @param limit Keys that are remembered; beyond it the oldest is forgotten. */
export function createStuckReports(limit = 10_000): StuckReports {
  const reported = new Set<string>();
  return {
    isNew: (key) => {
      if (reported.has(key)) return false;
      for (const oldest of reported) {
        if (reported.size < limit) break;
        reported.delete(oldest);
      }
      reported.add(key);
      return true;
    },
  };
}
