import { FatalError } from "@ngpu/runtime/errors";
import {
  findProgram,
  installPrograms,
  isDebian,
  mayInstall,
  missingPrograms,
  type SystemProgram,
} from "../bootstrap/system.mjs";

export { findProgram, systemPath } from "../bootstrap/system.mjs";

/** Prints one line to the user. */
export type Print = (line: string) => void;

export type ProgramOptions = SystemProgram & { print: Print; signal?: AbortSignal };

/**
 * Installs the missing ones of these programs with one run of apt-get, where it may (root on Debian or Ubuntu).
 * Elsewhere the part that needs a program reports its absence.
 *
 * @throws FatalError `install_failed` with the output of apt-get
 */
export async function installMissing(options: {
  programs: readonly SystemProgram[];
  print: Print;
  signal?: AbortSignal;
}): Promise<void> {
  const missing = missingPrograms(options.programs);
  if (missing.length === 0 || !mayInstall()) return;
  const packages = missing.flatMap((program) => program.packages);
  const { ok, output } = await installPrograms(options);
  if (ok) return;
  throw new FatalError(`apt-get could not install ${packages.join(" and ")}:\n${output.trimEnd()}`, {
    code: "install_failed",
    hint: `Resolve the error of apt-get, then start again, or run: ${commandFor(packages)}`,
  });
}

/**
 * Finds a program, and installs it with apt-get where it may (root on Debian or Ubuntu).
 *
 * @throws FatalError `program_not_installed` with the command to run, or `install_failed` with the output of apt-get
 */
export async function ensureProgram(options: ProgramOptions): Promise<string> {
  const { program, packages, print, signal } = options;
  const found = findProgram(program);
  if (found !== undefined) return found;
  if (!mayInstall()) {
    throw new FatalError(`${program} is not installed.`, {
      code: "program_not_installed",
      hint: isDebian() ? `Run: sudo ${commandFor(packages)}` : `Install ${program} and start again.`,
    });
  }
  await installMissing({ programs: [{ program, packages }], print, ...(signal ? { signal } : {}) });
  const installed = findProgram(program);
  if (installed !== undefined) return installed;
  throw new FatalError(`apt-get installed ${packages.join(" ")}, but ${program} is not there.`, {
    code: "install_failed",
    hint: `Run: ${commandFor(packages)}`,
  });
}

function commandFor(packages: readonly string[]): string {
  return `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}
