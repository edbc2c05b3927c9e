import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useText } from "../app/settings.tsx";
import { Button, Field } from "../ui/form.tsx";
import { ErrorNotice } from "../ui/notices.tsx";
import { Panel } from "../ui/page.tsx";
import { accountOf, useWallets, type Wallet } from "./providers.ts";

const addressPattern = /^0x[0-9a-fA-F]{40}$/;

/** Asks for an address, typed or of a connected wallet. */
export function AccountForm(given: {
  label: string;
  help: string;
  /** The address that the page shows already. */
  account: string | undefined;
  show: (address: string) => unknown;
}) {
  const t = useText();
  const wallets = useWallets();
  const [text, setText] = useState(given.account ?? "");
  const connect = useMutation({
    mutationFn: (wallet: Wallet) => accountOf(wallet),
    onSuccess: (address) => {
      setText(address);
      return given.show(address);
    },
  });
  return (
    <>
      <ErrorNotice error={connect.error} />
      <Panel>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            given.show(text.trim());
          }}
        >
          <Field label={given.label} help={given.help}>
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
    </>
  );
}
