import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { accountOf, useWallets, type Wallet } from "../../wallet/providers.ts";
import { Reward } from "./reward.tsx";

export const addressPattern = /^0x[0-9a-fA-F]{40}$/;

/** What an account earned, why, and what it can claim. Every account can be looked at: the records are public. */
export function WalletPage() {
  const t = useText();
  const { account } = useSearch({ from: "/wallet" });
  const navigate = useNavigate();
  const wallets = useWallets();
  const [text, setText] = useState(account ?? "");
  const show = (address: string) => navigate({ to: "/wallet", search: { account: address } });
  const connect = useMutation({
    mutationFn: (wallet: Wallet) => accountOf(wallet),
    onSuccess: (address) => {
      setText(address);
      return show(address);
    },
  });
  return (
    <Page title={t("wallet.title")} lead={t("wallet.lead")}>
      <ErrorNotice error={connect.error} />
      <Panel>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            show(text.trim());
          }}
        >
          <Field label={t("wallet.account")} help={t("wallet.account.help")}>
            {(control) => (
              <input
                {...control}
                spellCheck={false}
                autoCapitalize="none"
                value={text}
                onChange={(event) => setText(event.target.value)}
              />
            )}
          </Field>
          <div className="row">
            <Button kind="primary" type="submit" disabled={!addressPattern.test(text.trim())}>
              {t("wallet.show")}
            </Button>
            {wallets.map((wallet) => (
              <Button key={wallet.info.uuid} onClick={() => connect.mutate(wallet)}>
                {t("wallet.connect", { name: wallet.info.name })}
              </Button>
            ))}
          </div>
        </form>
      </Panel>
      {account === undefined ? null : <Reward key={account} account={account} wallets={wallets} />}
    </Page>
  );
}
