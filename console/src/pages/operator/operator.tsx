import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { accountOf, useWallets, type Wallet } from "../../wallet/providers.ts";
import { addressPattern } from "../wallet/wallet.tsx";
import { Join } from "./join.tsx";
import { OwnNodes } from "./ownNodes.tsx";

/** How a machine joins, and how the machines of a wallet do. */
export function OperatorPage() {
  const t = useText();
  const { wallet } = useSearch({ from: "/operator" });
  const navigate = useNavigate();
  const wallets = useWallets();
  const [text, setText] = useState(wallet ?? "");
  const show = (address: string) => navigate({ to: "/operator", search: { wallet: address } });
  const connect = useMutation({
    mutationFn: (one: Wallet) => accountOf(one),
    onSuccess: (address) => {
      setText(address);
      return show(address);
    },
  });
  return (
    <Page title={t("operator.title")} lead={t("operator.lead")}>
      <ErrorNotice error={connect.error} />
      <Panel>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            show(text.trim());
          }}
        >
          <Field label={t("account.wallet")} help={t("operator.wallet.help")}>
            {(control) => (
              <input
                {...control}
                spellCheck={false}
                autoCapitalize="none"
                value={text}
                onChange={({ target }) => setText(target.value)}
              />
            )}
          </Field>
          <div className="row">
            <Button kind="primary" type="submit" disabled={!addressPattern.test(text.trim())}>
              {t("wallet.show")}
            </Button>
            {wallets.map((one) => (
              <Button key={one.info.uuid} onClick={() => connect.mutate(one)}>
                {t("wallet.connect", { name: one.info.name })}
              </Button>
            ))}
          </div>
        </form>
      </Panel>
      {wallet === undefined ? null : (
        <>
          <Join key={wallet} wallet={wallet} />
          <OwnNodes wallet={wallet} />
        </>
      )}
    </Page>
  );
}
