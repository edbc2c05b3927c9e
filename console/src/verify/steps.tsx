import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useText } from "../app/settings.tsx";
import { Button, Field } from "../ui/form.tsx";
import { Icon } from "../ui/icons.tsx";
import { ErrorNotice, Notice } from "../ui/notices.tsx";

type Verified = { name: string; holds: boolean };

/** A check that runs in the browser: asks for the RPC endpoint, then shows the verdict and each step. */
export function VerifySteps<Step extends Verified>(given: {
  rpcUrls: string[];
  verify: (rpcUrl: string) => Promise<Step[]>;
  /** The verdict, with the first step that does not hold; undefined: all hold. */
  verdict: (wrong: Step | undefined) => string;
  texts: (step: Step) => { title: string; detail: string };
}) {
  const t = useText();
  const { rpcUrls } = given;
  const [rpcUrl, setRpcUrl] = useState(rpcUrls[0] ?? "");
  const check = useMutation({ mutationFn: () => given.verify(rpcUrl) });
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
          <Notice tone={wrong === undefined ? "good" : "bad"} title={given.verdict(wrong)} />
          <ol className="steps">
            {steps.map((step) => (
              <StepRow key={step.name} holds={step.holds} {...given.texts(step)} />
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

function StepRow({ holds, title, detail }: { holds: boolean; title: string; detail: string }) {
  return (
    <li>
      <Icon name={holds ? "good" : "bad"} className={holds ? "is-good" : "is-bad"} />
      <span>{title}</span>
      <span className="detail mono">{detail}</span>
    </li>
  );
}
