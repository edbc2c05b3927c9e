/** JSON text in which bigints are decimal strings. */
export function toJson(value: unknown, space?: number): string {
  try {
    // Eight times as fast as with a function for each value: the result of a task has up to millions.
    return JSON.stringify(value, undefined, space);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? item.toString() : item), space);
  }
}

/** Canonical JSON text of a value, for hashing: fields sorted by name, bigints as decimal strings, no whitespace. */
export function canonicalJson(value: unknown): string {
  return canonical(JSON.parse(toJson(value)));
}

const isObject = (value: unknown) => typeof value === "object" && value !== null;

function canonical(value: unknown): string {
  if (Array.isArray(value) && !value.some(isObject)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
