import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";

const rowHeight = 40;
/** Rows before the end of those that are loaded at which the next page is read. */
const readAhead = 20;

/** The rows in view of a list of any length. `loadMore` is called when its end comes near; undefined: there is no more. */
export function useRowWindow(count: number, loadMore: (() => unknown) | undefined) {
  const area = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => area.current,
    estimateSize: () => rowHeight,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const end = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (end >= count - readAhead) loadMore?.();
  }, [loadMore, end, count]);
  return {
    area,
    items,
    /** Heights of the rows before and after those in view. */
    before: items[0]?.start ?? 0,
    after: virtual.getTotalSize() - (items.at(-1)?.end ?? 0),
  };
}
