import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Hex } from "viem";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Button, Field } from "../../ui/form.tsx";
import { Icon } from "../../ui/icons.tsx";
import { ErrorNotice, Loaded, Notice } from "../../ui/notices.tsx";
import type { Step } from "../../wallet/claimProof.ts";
import type { RewardState } from "./types.ts";

/** Recomputes the claim on this page. Beyond what the API said, only the chosen RPC endpoint is asked. */
export function Verify({ reward }: { reward: RewardState }) {
  const network = useRoute("GET /v1/network", {});
  return <Loaded query={network}>{({ rpcUrls }) => <Steps reward={reward} rpcUrls={rpcUrls} />}</Loaded>;
}

function Steps({ reward, rpcUrls }: { reward: RewardState; rpcUrls: string[] }) {
  const { t } = useSettings();
  const [rpcUrl, setRpcUrl] = useState(rpcUrls[0] ?? "");
  const check = useMutation({ mutationFn: () => verify(reward, rpcUrl) });
  const steps = check.data ?? [];
  const wrong = steps.find(({ holds }) => !holds);
  return (
    <div className="stack">
      <Field label={t("verify.rpc")} help={t("verify.rpc.help")}>
        {(control) => (
          <select {...control} value={rpcUrl} onChange={(event) => setRpcUrl(event.target.value)}>
            {rpcUrls.map((url) => (
              <option key={url}>{url}</option>
            ))}
          </select>
        )}
      </Field>
      <div className="row">
        <Button kind="primary" disabled={check.isPending || rpcUrl === ""} onClick={() => check.mutate()}>
          {t(check.isPending ? "verify.running" : "verify.action")}
        </Button>
      </div>
      <ErrorNotice error={check.error} />
      {steps.length === 0 ? null : (
        <>
          <Notice tone={wrong === undefined ? "good" : "bad"} title={t(verdictOf(wrong))} />
          <ol className="steps">
            {steps.map((step) => (
              <StepRow key={step.name} step={step} />
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

const verdictOf = (wrong: Step | undefined) =>
  wrong === undefined ? ("verify.holds" as const) : (`verify.wrong.${wrong.name}` as const);

function StepRow({ step: { name, holds, values } }: { step: Step }) {
  const { t, format } = useSettings();
  const amounts = ["said", "chain", "computed"].flatMap((key) =>
    values[key] !== undefined && /^\d+$/.test(values[key]) ? [[key, `${tokens(values[key], 8)} NGPU`]] : [],
  );
  const time = values.time === undefined ? {} : { time: format.time(Number(values.time)) };
  return (
    <li>
      <Icon name={holds ? "good" : "bad"} className={holds ? "is-good" : "is-bad"} />
      <span>{t(`verify.step.${name}`)}</span>
      <span className="detail mono">
        {t(`verify.detail.${name}`, { ...values, ...Object.fromEntries(amounts), ...time })}
      </span>
    </li>
  );
}

async function verify(reward: RewardState, rpcUrl: string): Promise<Step[]> {
  const [{ verifyClaim }, { readClaimFacts }] = await Promise.all([
    import("../../wallet/claimProof.ts"),
    import("../../wallet/pomc.ts"),
  ]);
  const account = reward.account as Hex;
  const epoch = BigInt(reward.epoch ?? 0);
  const facts = await readClaimFacts(rpcUrl, { pomc: reward.pomc as Hex, account, epoch });
  const claim = {
    account,
    epoch,
    cumulative: BigInt(reward.cumulative),
    proof: reward.proof as Hex,
    claimed: BigInt(reward.claimed),
    claimable: BigInt(reward.claimable),
  };
  return verifyClaim(claim, facts);
}
