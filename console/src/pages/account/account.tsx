import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { perHour, tokens } from "../../format.ts";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge, Facts, Page, Panel, Stats } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { Fund } from "./fund.tsx";
import { SignInPage } from "./signIn.tsx";
import type { Account } from "./types.ts";

/** What a partner has deposited and authorized, and how it adds to both. */
export function AccountPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Shown />;
}

function Shown() {
  const { t } = useSettings();
  const account = useRoute("GET /v1/account", {}, { every: 5_000 });
  return (
    <Page title={t("account.title")} lead={t("account.lead")}>
      <Loaded query={account}>
        {(data) => (
          <>
            <Stats
              figures={[
                { name: t("account.refundable"), value: tokens(data.refundable), of: "NGPU" },
                { name: t("account.owed"), value: tokens(data.owed), of: "NGPU" },
                { name: t("account.deposited"), value: tokens(data.deposited), of: "NGPU" },
                { name: t("account.settled"), value: tokens(data.settled), of: "NGPU" },
                { name: t("account.refunded"), value: tokens(data.refunded), of: "NGPU" },
              ]}
            />
            <div className="columns">
              <Panel title={t("fund.title")} note={t("fund.note")}>
                <Fund wallet={data.wallet} />
              </Panel>
              <Panel title={t("account.about")}>
                <Facts
                  facts={[
                    [t("account.wallet"), <code key="wallet">{data.wallet}</code>],
                    [t("account.escrow"), <code key="escrow">{data.escrow}</code>],
                  ]}
                />
              </Panel>
            </div>
            <Panel title={t("account.authorizations")} note={t("account.authorizations.note")} flush>
              <Authorizations list={data.authorizations} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Authorizations({ list }: { list: Account["authorizations"] }) {
  const { t, format } = useSettings();
  if (list.length === 0) return <Empty>{t("account.authorizations.none")}</Empty>;
  return (
    <Table
      columns={[
        { text: t("authorization.id") },
        { text: t("authorization.state") },
        { text: t("authorization.remaining"), number: true },
        { text: t("authorization.rate"), number: true },
        { text: t("authorization.expiry") },
      ]}
    >
      {list.map((one) => (
        <tr key={`${one.escrow} ${one.id}`}>
          <td>{one.id}</td>
          <td>
            <Badge tone={one.usable ? "good" : "idle"}>
              {t(one.usable ? "authorization.usable" : "authorization.ended")}
            </Badge>
          </td>
          <td className="number">
            {tokens(one.remaining)}
            <span className="unit"> / {tokens(one.total)} NGPU</span>
          </td>
          <td className="number">
            {perHour(one.rateInUse)}
            <span className="unit">
              {" "}
              / {perHour(one.maxRate)} {t("price.hour")}
            </span>
          </td>
          <td>{format.time(one.expiry)}</td>
        </tr>
      ))}
    </Table>
  );
}
