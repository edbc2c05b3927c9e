/**
 * What a program that a test starts inherits: the path of programs and the cache of compiled code, which halves the time
 * of its start. The caller's other variables do not reach it.
 */
export function programEnv(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }) };
}
