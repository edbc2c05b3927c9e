import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Button } from "../../ui/form.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page, Panel, Stats } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { Bars } from "./bars.tsx";
import { Invoices } from "./invoices.tsx";
import { type By, type Entry, groupings, nameOf, total } from "./sums.ts";

/** What the account's tasks cost, by day, hour, workspace or key, and the invoices of its leases. */
export function UsagePage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Usage />;
}

function Usage() {
  const { t, format } = useSettings();
  const [by, setBy] = useState<By>("day");
  const usage = useRoute("GET /v1/usage", { query: { by } }, { every: 30_000 });
  return (
    <Page title={t("usage.title")} lead={t("usage.lead")}>
      <fieldset className="row bare" aria-label={t("usage.by")}>
        {groupings.map((one) => (
          <Button
            key={one}
            kind={one === by ? "primary" : "plain"}
            aria-pressed={one === by}
            onClick={() => setBy(one)}
          >
            {t(`usage.by.${one}`)}
          </Button>
        ))}
      </fieldset>
      <Loaded query={usage}>
        {({ usage: entries, by: shown }) => {
          const { tasks, failed, cost } = total(entries);
          return (
            <>
              <Stats
                figures={[
                  { name: t("usage.tasks"), value: format.count(tasks), of: t("usage.days") },
                  { name: t("usage.failed"), value: format.count(failed) },
                  { name: t("usage.cost"), value: tokens(cost), of: "NGPU" },
                ]}
              />
              <Panel title={t(`usage.by.${shown}`)} note={t("usage.note")} flush>
                {entries.length === 0 ? (
                  <Empty>{t("usage.none")}</Empty>
                ) : (
                  <Groups {...{ entries, by: shown }} />
                )}
              </Panel>
            </>
          );
        }}
      </Loaded>
      <Panel title={t("invoices.title")} note={t("invoices.note")} flush>
        <Invoices />
      </Panel>
    </Page>
  );
}

function Groups({ entries, by }: { entries: readonly Entry[]; by: By }) {
  const { t, format } = useSettings();
  return (
    <>
      {by === "day" || by === "hour" ? <Bars {...{ entries, by }} label={t("usage.chart")} /> : null}
      <Table
        columns={[
          { text: t(`usage.by.${by}`) },
          { text: t("usage.tasks"), number: true },
          { text: t("usage.failed"), number: true },
          { text: t("usage.seconds"), number: true },
          { text: "NGPU", number: true },
        ]}
      >
        {entries.map(({ group, tasks, failed, ms, cost }) => (
          <tr key={group}>
            <td>
              <code>{nameOf(group, by)}</code>
            </td>
            <td className="number">{format.count(tasks)}</td>
            <td className="number">{format.count(failed)}</td>
            <td className="number">{format.decimal(ms / 1_000)}</td>
            <td className="number">{tokens(cost, 6)}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}
