import { type SortDirection, useTable } from "@tanstack/react-table";
import { useMemo } from "react";
import { useSettings } from "../../app/settings.tsx";
import { Spacer } from "../../ui/longTable.tsx";
import { useRowWindow } from "../../ui/rowWindow.ts";
import { columnsOf } from "./columns.tsx";
import { features, type Node } from "./types.ts";

/** All nodes, of which only the rows in view are in the document. The next page is read when the end comes near. */
export function NodeTable(given: { nodes: Node[]; more: boolean; loadMore: () => unknown }) {
  const { t, format, language } = useSettings();
  const columns = useMemo(() => columnsOf({ t, format, language }), [t, format, language]);
  const table = useTable({ features, columns, data: given.nodes, getRowId: (node) => String(node.id) });
  const rows = table.getRowModel().rows;
  const { more, loadMore } = given;
  const { area, items, before, after } = useRowWindow(rows.length, more ? loadMore : undefined);
  return (
    <div className="panel">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is scrolled by keys. */}
      <section className="virtual" ref={area} tabIndex={0} aria-label={t("nodes.title")}>
        <table aria-rowcount={more ? -1 : rows.length + 1}>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id}>
                {group.headers.map(({ id, column }) => (
                  <SortHeader
                    key={id}
                    text={String(column.columnDef.header)}
                    isNumber={column.columnDef.meta?.number === true}
                    sorted={column.getIsSorted()}
                    sort={() => column.toggleSorting(undefined, false)}
                  />
                ))}
              </tr>
            ))}
          </thead>
          <tbody>
            <Spacer height={before} />
            {items.map(({ index }) => {
              const row = rows[index];
              if (row === undefined) return null;
              return (
                <tr key={row.id} aria-rowindex={index + 2}>
                  {row.getAllCells().map((cell) => (
                    <td
                      key={cell.id}
                      className={cell.column.columnDef.meta?.number === true ? "number" : undefined}
                    >
                      <table.FlexRender cell={cell} />
                    </td>
                  ))}
                </tr>
              );
            })}
            <Spacer height={after} />
          </tbody>
        </table>
      </section>
      <p className="panel-body panel-note" role="status">
        {t(more ? "nodes.loaded" : "nodes.all", { count: format.count(rows.length) })}
      </p>
    </div>
  );
}

function SortHeader(given: {
  text: string;
  isNumber: boolean;
  sorted: false | SortDirection;
  sort: () => unknown;
}) {
  const { text, isNumber, sorted, sort } = given;
  return (
    <th scope="col" className={isNumber ? "number" : undefined} aria-sort={sortOf(sorted)}>
      <button type="button" className="sort" onClick={sort}>
        {text}
        <SortMark direction={sorted} />
      </button>
    </th>
  );
}

function sortOf(direction: false | SortDirection) {
  if (direction === false) return "none" as const;
  return direction === "asc" ? "ascending" : "descending";
}

const SortMark = ({ direction }: { direction: false | SortDirection }) => (
  <span aria-hidden="true">{direction === false ? "" : direction === "asc" ? " ↑" : " ↓"}</span>
);
