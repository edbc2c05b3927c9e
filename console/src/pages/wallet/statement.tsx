import { useMutation } from "@tanstack/react-query";
import { usePages } from "../../api/queries.ts";
import { apiUrl } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { download } from "../../ui/download.ts";
import { Button } from "../../ui/form.tsx";
import { LongTable } from "../../ui/longTable.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, ErrorNotice, Loaded } from "../../ui/notices.tsx";

/** @deadline A page of the statement. The download fails. */
const deadline = 30_000;

/** Every change of an account's money, and all of it as CSV. */
export function Statement({ account }: { account: string }) {
  const { t, format } = useSettings();
  const pages = usePages("GET /v1/accounts/{address}/statement", {
    path: { address: account },
    query: { limit: 100 },
  });
  const save = useMutation({
    mutationFn: async () => download(`${account}.csv`, await readCsv(account), "text/csv"),
  });
  const list = pages.data?.pages.flatMap((page) => page.entries);
  return (
    <Loaded query={{ data: list, error: pages.error }}>
      {(entries) => (
        <>
          <div className="panel-body row">
            <Button disabled={save.isPending || entries.length === 0} onClick={() => save.mutate()}>
              {t("statement.csv")}
            </Button>
            <ErrorNotice error={save.error} />
          </div>
          {entries.length === 0 ? (
            <Empty>{t("statement.none")}</Empty>
          ) : (
            <LongTable
              label={t("statement.title")}
              columns={[
                { text: t("cost.time") },
                { text: t("statement.book") },
                { text: t("cost.kind") },
                { text: "NGPU", number: true },
                { text: t("replica.node") },
                { text: t("workspace.transaction") },
              ]}
              rows={entries}
              keyOf={({ id }) => id}
              pages={pages}
              cells={(entry) => [
                format.time(entry.at),
                t(`book.${entry.book}`),
                <code key="kind">{entry.kind}</code>,
                tokens(entry.amount, 6),
                entry.nodeId === null ? t("none") : <NodeLink key="node" id={entry.nodeId} />,
                entry.txHash === null ? (
                  t("none")
                ) : (
                  <code key="tx" title={entry.txHash}>
                    {entry.txHash.slice(0, 12)}…
                  </code>
                ),
              ]}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

/** All pages; each answer names the next one in its header `link`. */
async function readCsv(account: string): Promise<string> {
  const first = `${apiUrl}/v1/accounts/${account}/statement`;
  let url: string | undefined = `${first}?format=csv&limit=200`;
  let text = "";
  while (url !== undefined) {
    const response: Response = await fetch(url, { signal: AbortSignal.timeout(deadline) });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    const page = await response.text();
    // Each page begins with the header.
    text += text === "" ? page : page.slice(page.indexOf("\r\n") + 2);
    const next: string | undefined = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    url = next === undefined ? undefined : new URL(next, first).href;
  }
  return text;
}
