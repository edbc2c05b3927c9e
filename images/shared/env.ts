type Environment = Record<string, string | undefined>;

/** Reads a container's environment and collects all errors, so that `done` reports them together. */
export function environment(env: Environment) {
  const errors: string[] = [];
  return {
    /** An integer from `min` to `max`; `fallback` when unset. */
    number(name: string, fallback: number, min: number, max: number): number {
      const text = env[name];
      if (text === undefined || text === "") return fallback;
      const value = Number(text);
      if (!/^\d+$/.test(text) || value < min || value > max) {
        errors.push(`${name} must be a whole number from ${min} to ${max}, not "${text}"`);
        return fallback;
      }
      return value;
    },
    /** A secret of at least `min` characters; required unless a fallback is given. The value is never shown. */
    secret(name: string, min: number, fallback = ""): string {
      const text = env[name] || fallback;
      if (text.length < min) errors.push(`${name} must be set and have at least ${min} characters`);
      return text;
    },
    text(name: string, fallback: string): string {
      return env[name] || fallback;
    },
    /** @throws Error that lists all errors. */
    done(): void {
      if (errors.length > 0) throw new Error(`The environment is not valid: ${errors.join("; ")}.`);
    },
  };
}
