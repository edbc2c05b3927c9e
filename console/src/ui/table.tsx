import type { ReactNode } from "react";
import { useText } from "../app/settings.tsx";
import { Button } from "./form.tsx";

export type Column = { text: string; number?: boolean; code?: boolean };

/** A table that scrolls sideways where it is too wide. */
export function Table({ columns, children }: { columns: readonly Column[]; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls is scrolled by keys.
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ text, number, code }) => (
              <th key={text} scope="col" className={number === true ? "number" : undefined}>
                {code === true ? <code>{text}</code> : text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

type Pages = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };

/** Reads the next page of a list, where there is one. */
export function More({ pages }: { pages: Pages }) {
  const t = useText();
  if (!pages.hasNextPage) return null;
  return (
    <div className="row">
      <Button disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
        {t("cost.more")}
      </Button>
    </div>
  );
}
