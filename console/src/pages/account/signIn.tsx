import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice, Notice } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { useWallets, type Wallet } from "../../wallet/providers.ts";

export function SignInPage() {
  const t = useText();
  return (
    <Page title={t("signIn.title")} lead={t("signIn.lead")}>
      <SignIn />
    </Page>
  );
}

/** Signs in with a wallet or a key. The key is checked before it is kept. */
export function SignIn() {
  const t = useText();
  const { api, signIn } = useSession();
  const navigate = useNavigate();
  const wallets = useWallets();
  const [invitation] = useState(readInvitation);
  const [text, setText] = useState("");
  const enter = useMutation({
    mutationFn: async (by: { key: string } | { wallet: Wallet }) => {
      if ("key" in by) {
        await api.withKey(by.key).call("GET /v1/account", {});
        return by.key;
      }
      const { signInWith } = await import("../../wallet/signIn.ts");
      return signInWith(api, by.wallet, invitation);
    },
    onSuccess: (key) => {
      signIn(key);
      return navigate({ to: "/workspaces" });
    },
  });
  return (
    <>
      {invitation === undefined ? null : <Notice tone="good" title={t("signIn.invitation")} />}
      <ErrorNotice error={enter.error} />
      <div className="columns">
        <Panel title={t("signIn.key")} note={t("signIn.key.note")}>
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              enter.mutate({ key: text.trim() });
            }}
          >
            <Field label={t("signIn.key.label")} help={t("signIn.key.help")}>
              {(control) => (
                <input
                  {...control}
                  type="password"
                  autoComplete="off"
                  spellCheck={false}
                  value={text}
                  onChange={(event) => setText(event.target.value)}
                />
              )}
            </Field>
            <div className="row">
              <Button kind="primary" type="submit" disabled={enter.isPending || text.trim() === ""}>
                {t("signIn.action")}
              </Button>
            </div>
          </form>
        </Panel>
        <Panel title={t("signIn.wallet")} note={t("signIn.wallet.note")}>
          {wallets.length === 0 ? (
            <p className="muted">{t("signIn.wallet.none")}</p>
          ) : (
            <div className="row">
              {wallets.map((wallet) => (
                <Button
                  key={wallet.info.uuid}
                  disabled={enter.isPending}
                  onClick={() => enter.mutate({ wallet })}
                >
                  {wallet.info.name}
                </Button>
              ))}
            </div>
          )}
        </Panel>
      </div>
    </>
  );
}

/** The invitation of a link: what is behind `#` is sent to no server. */
function readInvitation(): string | undefined {
  const text = location.hash.slice(1);
  return /^ngpui_[0-9a-f]{16}_[0-9a-f]{64}$/.test(text) ? text : undefined;
}
