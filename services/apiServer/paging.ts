/** The value of `after` that continues a list: that of its last row; null when a page is not full, so none follows. */
export function nextAfter<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => string,
): string | null {
  const last = rows.at(-1);
  return rows.length === limit && last !== undefined ? cursorOf(last) : null;
}
