import { useMutation } from "@tanstack/react-query";
import { useRoute } from "../../api/queries.ts";
import { apiUrl, useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { save } from "../../ui/download.ts";
import { Button } from "../../ui/form.tsx";
import { Empty, ErrorNotice, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";

type Asked = { month: string; format: "pdf" | "csv" };

/** The months in which leases were paid, each to save as PDF or CSV. */
export function Invoices() {
  const { t } = useSettings();
  const { apiKey = "" } = useSession();
  const invoices = useRoute("GET /v1/invoices", {}, { every: 60_000 });
  const fetched = useMutation({
    mutationFn: async ({ month, format }: Asked) => {
      const url = `${apiUrl}/v1/invoices/${month}?format=${format}`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
      if (!response.ok) throw new Error(t("invoices.failed", { status: String(response.status) }));
      save(`ngpu-${month}.${format}`, await response.blob());
    },
  });
  return (
    <>
      <ErrorNotice error={fetched.error} />
      <Loaded query={invoices}>
        {({ invoices: list }) =>
          list.length === 0 ? (
            <Empty>{t("invoices.none")}</Empty>
          ) : (
            <Table
              columns={[
                { text: t("invoices.month") },
                { text: t("invoices.state") },
                { text: t("invoices.paid"), number: true },
                { text: t("invoices.refunded"), number: true },
                { text: t("invoices.total"), number: true },
                { text: t("keys.actions") },
              ]}
            >
              {list.map(({ month, final, paid, refunded, total }) => (
                <tr key={month}>
                  <td>{month}</td>
                  <td>
                    <Badge tone={final ? "good" : "idle"}>
                      {t(final ? "invoices.final" : "invoices.open")}
                    </Badge>
                  </td>
                  <td className="number">{tokens(paid, 6)}</td>
                  <td className="number">{tokens(refunded, 6)}</td>
                  <td className="number">{tokens(total, 6)}</td>
                  <td>
                    <span className="row">
                      {(["pdf", "csv"] as const).map((format) => (
                        <Button
                          key={format}
                          kind="quiet"
                          aria-label={t("invoices.save", { month, format: format.toUpperCase() })}
                          disabled={fetched.isPending}
                          onClick={() => fetched.mutate({ month, format })}
                        >
                          {format.toUpperCase()}
                        </Button>
                      ))}
                    </span>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </>
  );
}
