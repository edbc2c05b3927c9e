import { readdirSync, readFileSync } from "node:fs";

type Process = { pid: number; group: number; command: string; text: string };

/** All other processes of this machine. `text` is the command line and the environment. */
export function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
        const stat = read("stat");
        const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        if (state === "Z") return [];
        const command = read("cmdline");
        return [{ pid: Number(pid), group: Number(group), command, text: `${command} ${read("environ")}` }];
      } catch {
        // The process has ended, or it is a kernel thread.
        return [];
      }
    });
}
