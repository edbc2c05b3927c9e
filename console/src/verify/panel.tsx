import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useRoute } from "../api/queries.ts";
import { useText } from "../app/settings.tsx";
import type { MessageKey } from "../i18n/types.ts";
import { Button, Field } from "../ui/form.tsx";
import { Icon } from "../ui/icons.tsx";
import { ErrorNotice, Loaded, Notice } from "../ui/notices.tsx";
import type { Check } from "./chain.ts";

type Given = {
  /** Begins the keys of its texts. */
  subject: "placement" | "receipt";
  verify: (of: { deployment: unknown; rpcUrl: string }) => Promise<Check<string>[]>;
};

/** Recomputes something on this page. Beyond what the market said, only the chosen RPC endpoint is asked. */
export function VerifyPanel(given: Given) {
  const network = useRoute("GET /v1/network", {}, { staleTime: 60_000 });
  return (
    <Loaded query={network}>
      {({ rpcUrls, deployment }) => <Steps {...given} rpcUrls={rpcUrls} deployment={deployment} />}
    </Loaded>
  );
}

function Steps({ subject, verify, rpcUrls, deployment }: Given & { rpcUrls: string[]; deployment: unknown }) {
  const t = useText();
  const [rpcUrl, setRpcUrl] = useState(rpcUrls[0] ?? "");
  const check = useMutation({ mutationFn: () => verify({ deployment, rpcUrl }) });
  const steps = check.data ?? [];
  const wrong = steps.find(({ holds }) => !holds);
  const text = (kind: "step" | "wrong", name: string) => t(`check.${subject}.${kind}.${name}` as MessageKey);
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
          <Notice
            tone={wrong === undefined ? "good" : "bad"}
            title={wrong === undefined ? t("check.holds") : text("wrong", wrong.name)}
          />
          <ol className="steps">
            {steps.map(({ name, holds, detail }) => (
              <li key={name}>
                <Icon name={holds ? "good" : "bad"} className={holds ? "is-good" : "is-bad"} />
                <span>{text("step", name)}</span>
                <span className="detail mono">{detail}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </div>
  );
}
