import type { ReactNode } from "react";
import { useSettings } from "../app/settings.tsx";
import { useRowWindow } from "./rowWindow.ts";
import type { Column } from "./table.tsx";

type Pages = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };

/** A list of any length, of which only the rows in view are in the document. The next page is read when its end comes near. */
export function LongTable<Row>(given: {
  label: string;
  columns: readonly Column[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** The cells of a row, one for each column. */
  cells: (row: Row) => readonly ReactNode[];
  pages?: Pages;
}) {
  const { t, format } = useSettings();
  const { rows, columns, pages } = given;
  const more = pages?.hasNextPage === true;
  const loadMore = more && !pages.isFetchingNextPage ? pages.fetchNextPage : undefined;
  const { area, items, before, after } = useRowWindow(rows.length, loadMore);
  return (
    <>
      <section
        className="virtual"
        ref={area}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is scrolled by keys.
        tabIndex={0}
        aria-label={t("list.rows", { label: given.label })}
      >
        <table aria-rowcount={more ? -1 : rows.length + 1}>
          <thead>
            <tr>
              {columns.map(({ text, number }) => (
                <th key={text} scope="col" className={number === true ? "number" : undefined}>
                  {text}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Spacer height={before} />
            {items.map(({ index }) => {
              const row = rows[index];
              if (row === undefined) return null;
              return (
                <tr key={given.keyOf(row)} aria-rowindex={index + 2}>
                  {given.cells(row).map((cell, at) => (
                    <td
                      key={columns[at]?.text ?? at}
                      className={columns[at]?.number === true ? "number" : undefined}
                    >
                      {cell}
                    </td>
                  ))}
                </tr>
              );
            })}
            <Spacer height={after} />
          </tbody>
        </table>
      </section>
      {rows.length < 20 && !more ? null : (
        <p className="panel-body panel-note" role="status">
          {t(more ? "list.loaded" : "list.all", { count: format.count(rows.length) })}
        </p>
      )}
    </>
  );
}

/** The height of rows that are not in the document. */
export function Spacer({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr className="spacer">
      <td style={{ height }} />
    </tr>
  );
}
