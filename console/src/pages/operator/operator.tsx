import { useNavigate, useSearch } from "@tanstack/react-router";
import { useText } from "../../app/settings.tsx";
import { Page } from "../../ui/page.tsx";
import { AccountForm } from "../../wallet/accountForm.tsx";
import { Join } from "./join.tsx";
import { OwnNodes } from "./ownNodes.tsx";

/** How a machine joins, and how the machines of a wallet do. */
export function OperatorPage() {
  const t = useText();
  const { wallet } = useSearch({ from: "/operator" });
  const navigate = useNavigate();
  const show = (address: string) => navigate({ to: "/operator", search: { wallet: address } });
  return (
    <Page title={t("operator.title")} lead={t("operator.lead")}>
      <AccountForm
        label={t("account.wallet")}
        help={t("operator.wallet.help")}
        account={wallet}
        show={show}
      />
      {wallet === undefined ? null : (
        <>
          <Join key={wallet} wallet={wallet} />
          <OwnNodes wallet={wallet} />
        </>
      )}
    </Page>
  );
}
