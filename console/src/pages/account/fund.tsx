import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { unitsOf } from "../../format.ts";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice, Notice } from "../../ui/notices.tsx";
import type { FundingStep } from "../../wallet/fund.ts";
import { useWallets, type Wallet } from "../../wallet/providers.ts";

const hour = 3_600n;

/** Adds to the deposit and sets a budget, with two signatures of the wallet. */
export function Fund({ wallet: owner }: { wallet: string }) {
  const t = useText();
  const { api } = useSession();
  const queries = useQueryClient();
  const wallets = useWallets();
  const [form, setForm] = useState({ deposit: "10", total: "100", perHour: "5" });
  const [step, setStep] = useState<FundingStep>();
  const [deposit, total, rate] = [form.deposit, form.total, form.perHour].map(unitsOf);
  const done = () => queries.invalidateQueries();
  const add = useMutation({
    mutationFn: async (wallet: Wallet) => {
      const { fund } = await import("../../wallet/fund.ts");
      const amounts = { deposit: deposit ?? 0n, total: total ?? 0n, maxRate: (rate ?? 0n) / hour };
      await fund(api, wallet, amounts, setStep);
    },
    onSettled: done,
  });
  const faucet = useMutation({
    mutationFn: () => api.call("POST /v1/faucet", { body: { wallet: owner } }),
    onSettled: done,
  });
  const isValid = deposit !== undefined && total !== undefined && rate !== undefined;
  const field = (name: keyof typeof form, label: Parameters<typeof t>[0], help: Parameters<typeof t>[0]) => (
    <Field label={t(label)} help={t(help)}>
      {(control) => (
        <input
          {...control}
          inputMode="decimal"
          value={form[name]}
          onChange={(event) => setForm({ ...form, [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <div className="stack">
      <div className="fields">
        {field("deposit", "fund.deposit", "fund.deposit.help")}
        {field("total", "fund.total", "fund.total.help")}
        {field("perHour", "fund.rate", "fund.rate.help")}
      </div>
      <div className="row">
        {wallets.map((wallet) => (
          <Button
            key={wallet.info.uuid}
            kind="primary"
            disabled={!isValid || add.isPending}
            onClick={() => add.mutate(wallet)}
          >
            {t("fund.action", { name: wallet.info.name })}
          </Button>
        ))}
        <Button disabled={faucet.isPending} onClick={() => faucet.mutate()}>
          {t("fund.faucet")}
        </Button>
      </div>
      {wallets.length === 0 ? <p className="muted">{t("fund.noWallet")}</p> : null}
      {add.isPending && step !== undefined ? <p role="status">{t(`fund.step.${step}`)}</p> : null}
      <ErrorNotice error={add.error ?? faucet.error} />
      {add.isSuccess ? <Notice tone="good" title={t("fund.done")} /> : null}
      {faucet.isSuccess ? <Notice tone="good" title={t("fund.faucet.done")} /> : null}
    </div>
  );
}
