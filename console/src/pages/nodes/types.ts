import type { Schema } from "@ngpu/api-client/client";
import { createSortedRowModel, rowSortingFeature, sortFns, tableFeatures } from "@tanstack/react-table";

export type Node = Schema<"Node">;

/** What the table of nodes does. */
export const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
});
