/** The stuck items that this instance has reported, so that it logs and counts each once. */
export type StuckReports = {
  /** True for the first call with a key. */
  isNew(key: string): boolean;
};

/** @param limit Maximum number of remembered keys; the oldest are dropped. */
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
