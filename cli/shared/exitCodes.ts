/** The exit codes of every command. */
export const exitCodes = {
  success: { code: 0, says: "The command did what it was asked to." },
  failed: { code: 1, says: "The command is wrong, the API refused it, or something did not answer." },
  no: { code: 2, says: "The answer is no: nothing fits, a verification differs, `doctor` found a problem." },
  workload: { code: 3, says: "The workspace or the task failed." },
  timeout: { code: 4, says: "The time of `--timeout` is over. What was ordered goes on." },
  interrupted: { code: 130, says: "Ctrl-C. What was ordered goes on." },
} as const;

export type ExitCode = keyof typeof exitCodes;

/** Sets the exit code of the process; it ends when its work has ended. */
export function endWith(name: ExitCode): void {
  process.exitCode = exitCodes[name].code;
}
