/** Tells one life of a pid from another; undefined when no such process runs. */
export function processStamp(pid: number): string | undefined;

/** Takes a lock that a killed holder does not keep, or names the pid of the living holder. */
export function tryLock(
  path: string,
): { release: () => void; holder?: undefined } | { holder: number; release?: undefined };
