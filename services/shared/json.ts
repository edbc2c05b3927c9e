/** JSON text in which bigints are decimal strings. */
export function toJson(value: unknown, space?: number): string {
  return JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? item.toString() : item), space);
}
