import { useRoute } from "../api/queries.ts";
import { useText } from "../app/settings.tsx";
import type { MessageKey } from "../i18n/types.ts";
import { Loaded } from "../ui/notices.tsx";
import type { Check } from "./chain.ts";
import { VerifySteps } from "./steps.tsx";

/** Recomputes something on this page. Beyond what the market said, only the chosen RPC endpoint is asked. */
export function VerifyPanel({
  subject,
  verify,
}: {
  /** Begins the keys of its texts. */
  subject: "placement" | "receipt";
  verify: (of: { deployment: unknown; rpcUrl: string }) => Promise<Check<string>[]>;
}) {
  const t = useText();
  const network = useRoute("GET /v1/network", {}, { staleTime: 60_000 });
  const text = (kind: "step" | "wrong", name: string) => t(`check.${subject}.${kind}.${name}` as MessageKey);
  return (
    <Loaded query={network}>
      {({ rpcUrls, deployment }) => (
        <VerifySteps
          rpcUrls={rpcUrls}
          verify={(rpcUrl) => verify({ deployment, rpcUrl })}
          verdict={(wrong) => (wrong === undefined ? t("check.holds") : text("wrong", wrong.name))}
          texts={({ name, detail }) => ({ title: text("step", name), detail })}
        />
      )}
    </Loaded>
  );
}
