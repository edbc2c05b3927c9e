import { ApiError } from "@ngpu/api-client/errors";
import type { ReactNode } from "react";
import { useText } from "../app/settings.tsx";
import type { Tone } from "./page.tsx";

export function Notice({ tone, title, children }: { tone: Tone; title: ReactNode; children?: ReactNode }) {
  return (
    <div className={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <strong>{title}</strong>
      {children === undefined ? null : <div className="hint">{children}</div>}
    </div>
  );
}

/** An error as the API says it: what is wrong, what to do, and the id that the market's logs have. */
export function ErrorNotice({ error }: { error: unknown }) {
  const t = useText();
  if (error === null || error === undefined) return null;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ApiError)) return <Notice tone="bad" title={message} />;
  return (
    <Notice tone="bad" title={message}>
      {error.hint}
      {error.requestId === undefined ? null : (
        <span className="unit">
          {" "}
          {t("error.request", { id: error.requestId })} <code>{error.code}</code>
        </span>
      )}
    </Notice>
  );
}

/** What a query has: its data, its error, or that it is being read. */
export function Loaded<Data>({
  query,
  children,
}: {
  query: { data: Data | undefined; error: unknown };
  children: (data: Data) => ReactNode;
}) {
  const t = useText();
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) return <ErrorNotice error={query.error} />;
  return (
    <p className="empty" role="status">
      {t("loading")}
    </p>
  );
}

export const Empty = ({ children }: { children: ReactNode }) => <p className="empty">{children}</p>;
