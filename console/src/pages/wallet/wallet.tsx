import { useNavigate, useSearch } from "@tanstack/react-router";
import { useText } from "../../app/settings.tsx";
import { Page } from "../../ui/page.tsx";
import { AccountForm } from "../../wallet/accountForm.tsx";
import { useWallets } from "../../wallet/providers.ts";
import { Reward } from "./reward.tsx";

/** What an account earned, why, and what it can claim. Every account can be looked at: the records are public. */
export function WalletPage() {
  const t = useText();
  const { account } = useSearch({ from: "/wallet" });
  const navigate = useNavigate();
  const wallets = useWallets();
  const show = (address: string) => navigate({ to: "/wallet", search: { account: address } });
  return (
    <Page title={t("wallet.title")} lead={t("wallet.lead")}>
      <AccountForm
        label={t("wallet.account")}
        help={t("wallet.account.help")}
        account={account}
        show={show}
      />
      {account === undefined ? null : <Reward key={account} account={account} wallets={wallets} />}
    </Page>
  );
}
