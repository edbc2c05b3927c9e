import type { Hex } from "viem";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Loaded } from "../../ui/notices.tsx";
import { VerifySteps } from "../../verify/steps.tsx";
import type { Step } from "../../wallet/claimProof.ts";
import type { RewardState } from "./types.ts";

/** Recomputes the claim on this page. Beyond what the API said, only the chosen RPC endpoint is asked. */
export function Verify({ reward }: { reward: RewardState }) {
  const { t } = useSettings();
  const network = useRoute("GET /v1/network", {});
  const textsOf = useStepTexts();
  return (
    <Loaded query={network}>
      {({ rpcUrls }) => (
        <VerifySteps
          rpcUrls={rpcUrls}
          verify={(rpcUrl) => verify(reward, rpcUrl)}
          verdict={(wrong) => t(verdictOf(wrong))}
          texts={textsOf}
        />
      )}
    </Loaded>
  );
}

const verdictOf = (wrong: Step | undefined) =>
  wrong === undefined ? ("verify.holds" as const) : (`verify.wrong.${wrong.name}` as const);

function useStepTexts() {
  const { t, format } = useSettings();
  return ({ name, values }: Step) => {
    const amounts = ["said", "chain", "computed"].flatMap((key) =>
      values[key] !== undefined && /^\d+$/.test(values[key]) ? [[key, `${tokens(values[key], 8)} NGPU`]] : [],
    );
    const time = values.time === undefined ? {} : { time: format.time(Number(values.time)) };
    const shown = { ...values, ...Object.fromEntries(amounts), ...time };
    return { title: t(`verify.step.${name}`), detail: t(`verify.detail.${name}`, shown) };
  };
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
