import { readdirSync, readFileSync } from "node:fs";

type Process = { pid: number; group: number; command: string; text: string };

/** Every process of this machine but this one, with all that may name a folder: command line, folder, environment. */
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
        // It has ended meanwhile, or belongs to the kernel.
        return [];
      }
    });
}
