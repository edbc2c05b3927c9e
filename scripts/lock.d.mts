/** A stamp that identifies one process of a pid; undefined when no such process runs. */
export function processStamp(pid: number): string | undefined;

/** Takes a lock, also from a dead holder, or returns the pid of the living holder. */
export function tryLock(
  path: string,
): { release: () => void; holder?: undefined } | { holder: number; release?: undefined };
