export type SystemProgram = {
  program: string;
  /** What Debian and Ubuntu call it. */
  packages: string[];
};

export const redisServer: SystemProgram;
export const dockerEngine: SystemProgram;

/** This process's PATH with the system's folders added behind it. */
export function systemPath(): string;

/** The full path of a program, undefined when it is not installed. */
export function findProgram(program: string): string | undefined;

export function isDebian(): boolean;

/** True where programs may be installed: as root on Debian or Ubuntu. */
export function mayInstall(): boolean;

/** The programs that a market runs beside its own, as far as nobody configured others in their place. */
export function marketPrograms(env: {
  REDIS_URL?: string | undefined;
  DOCKER_HOST?: string | undefined;
}): SystemProgram[];

/** Those of them that are not installed. */
export function missingPrograms(programs: readonly SystemProgram[]): SystemProgram[];

/** Installs what is missing of these programs with one run of apt-get, after a run of another process has ended. */
export function installPrograms(options: {
  programs: readonly SystemProgram[];
  print: (line: string) => void;
  signal?: AbortSignal;
}): Promise<{ ok: boolean; output: string }>;
