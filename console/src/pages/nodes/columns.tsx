import { Link } from "@tanstack/react-router";
import { createColumnHelper, type RowData, type TableFeatures } from "@tanstack/react-table";
import type { Format } from "../../format.ts";
import { perHour, regionName } from "../../format.ts";
import type { Language } from "../../i18n/language.ts";
import type { MessageKey, Values } from "../../i18n/types.ts";
import { NodeStatus } from "./status.tsx";
import type { features, Node } from "./types.ts";

declare module "@tanstack/react-table" {
  // The parameters are those of the declaration that this one extends.
  interface ColumnMeta<TFeatures extends TableFeatures, TData extends RowData, TValue> {
    /** Figures are aligned to the right. */
    number?: boolean;
  }
}

type Words = { t: (key: MessageKey, values?: Values) => string; format: Format; language: Language };

const helper = createColumnHelper<typeof features, Node>();
const figure = { number: true };

export function columnsOf({ t, format, language }: Words) {
  return helper.columns([
    helper.accessor("id", {
      header: t("node.id"),
      cell: ({ getValue }) => (
        <Link to="/nodes/$id" params={{ id: String(getValue()) }}>
          {t("node.name", { id: getValue() })}
        </Link>
      ),
    }),
    helper.accessor("status", {
      header: t("node.status"),
      cell: ({ row }) => <NodeStatus status={row.original.status} />,
    }),
    helper.accessor((node) => node.gpu.name ?? "", {
      id: "gpu",
      header: t("node.gpu"),
      cell: ({ row: { original: node } }) =>
        node.gpu.count === 0 ? (
          <span className="muted">{t("none")}</span>
        ) : (
          `${node.gpu.count} × ${node.gpu.name ?? node.gpu.model}`
        ),
    }),
    helper.accessor((node) => node.free.gpus, {
      id: "freeGpus",
      header: t("node.freeGpus"),
      meta: figure,
      cell: ({ row: { original: node } }) => part(node.free.gpus, node.total.gpus, format.count),
    }),
    helper.accessor((node) => node.free.cpu, {
      id: "cpu",
      header: t("node.cpu"),
      meta: figure,
      cell: ({ row: { original: node } }) => part(node.free.cpu, node.total.cpu, format.decimal),
    }),
    helper.accessor((node) => node.free.memoryMib, {
      id: "memory",
      header: t("node.memory"),
      meta: figure,
      cell: ({ row: { original: node } }) => part(node.free.memoryMib, node.total.memoryMib, format.memory),
    }),
    helper.accessor((node) => node.region ?? "", {
      id: "region",
      header: t("node.region"),
      cell: ({ row }) =>
        regionName(row.original.region, language) ?? <span className="muted">{t("none")}</span>,
    }),
    helper.accessor((node) => Number(node.pricePerSecond), {
      id: "price",
      header: t("node.price"),
      meta: figure,
      cell: ({ row }) => perHour(row.original.pricePerSecond),
    }),
  ]);
}

function part(free: number, total: number, show: (value: number) => string) {
  return (
    <>
      {show(free)}
      <span className="unit"> / {show(total)}</span>
    </>
  );
}
