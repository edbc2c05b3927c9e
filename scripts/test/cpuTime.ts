import { readFileSync } from "node:fs";

/** Linux counts the time of processes in ticks, of which a second has 100 on every architecture. */
const TICKS_PER_SECOND = 100;

/** Milliseconds that this process and its child processes that have ended spent on the CPU. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + endedChildrenMs();
}

/** Only Linux says it without a native module. */
function endedChildrenMs(): number {
  if (process.platform !== "linux") return 0;
  const stat = readFileSync("/proc/self/stat", "utf8");
  // The command's name is in brackets and may contain spaces; the fields after it do not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields[13]), Number(fields[14])];
  return ((user + system) * 1000) / TICKS_PER_SECOND;
}
