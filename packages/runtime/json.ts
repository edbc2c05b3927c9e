/** JSON text in which bigints are decimal strings. */
export function toJson(value: unknown, space?: number): string {
  return JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? item.toString() : item), space);
}

/** The one JSON text of a value: fields in the order of their names, bigints as decimal strings, no space. For hashes. */
export function canonicalJson(value: unknown): string {
  return canonical(JSON.parse(toJson(value)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
