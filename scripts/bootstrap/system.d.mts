export type SystemProgram = {
  program: string;
  /** Package names in Debian and Ubuntu. */
  packages: string[];
};

export const redisServer: SystemProgram;
export const dockerEngine: SystemProgram;
/** The browser of the console's tests, with the fonts of its languages. */
export const chromium: SystemProgram;
/** OpenCL on CPUs, for the tests of the proof of hardware. */
export const openCl: SystemProgram;

/** This process's PATH, followed by the system's directories. */
export function systemPath(): string;

/** The full path of a program, undefined when it is not installed. */
export function findProgram(program: string): string | undefined;

export function isDebian(): boolean;

/** True where programs may be installed: as root on Debian or Ubuntu. */
export function mayInstall(): boolean;

/** The external programs that a market runs, except those that are configured. */
export function marketPrograms(env: {
  REDIS_URL?: string | undefined;
  DOCKER_HOST?: string | undefined;
}): SystemProgram[];

/** Those of them that are not installed. */
export function missingPrograms(programs: readonly SystemProgram[]): SystemProgram[];

/** Installs the missing ones of these programs with one run of apt-get, after a run of another process has ended. */
export function installPrograms(options: {
  programs: readonly SystemProgram[];
  print: (line: string) => void;
  signal?: AbortSignal;
}): Promise<{ ok: boolean; output: string }>;
