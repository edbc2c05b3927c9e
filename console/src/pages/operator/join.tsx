import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { apiUrl } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { unitsOf } from "../../format.ts";
import { Field } from "../../ui/form.tsx";
import { Icon } from "../../ui/icons.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Loaded } from "../../ui/notices.tsx";
import { Code, Panel } from "../../ui/page.tsx";
import { CopyButton } from "../../ui/secret.tsx";

const hour = 3_600n;

/** The command that joins a machine, and how far the machine that joined last is. */
export function Join({ wallet }: { wallet: string }) {
  const { t } = useSettings();
  const [price, setPrice] = useState("");
  const [region, setRegion] = useState("");
  const perSecond = unitsOf(price);
  const command = [
    `curl -fsS ${apiUrl}/install_mcNode.sh | sudo sh -s --`,
    `--api ${apiUrl} --wallet ${wallet}`,
    ...(perSecond === undefined ? [] : [`--price ${perSecond / hour}`]),
    ...(/^[A-Z]{2}$/.test(region) ? [`--region ${region}`] : []),
    ...(apiUrl.startsWith("http:") ? ["--allow-http"] : []),
  ].join(" \\\n  ");
  return (
    <div className="columns wide-left">
      <Panel title={t("join.title")} note={t("join.note")}>
        <div className="stack">
          <div className="fields">
            <Field label={t("join.price")} help={t("join.price.help")}>
              {(control) => (
                <input
                  {...control}
                  inputMode="decimal"
                  value={price}
                  onChange={({ target }) => setPrice(target.value)}
                />
              )}
            </Field>
            <Field label={t("node.region")} help={t("deploy.region.help")}>
              {(control) => (
                <input
                  {...control}
                  maxLength={2}
                  value={region}
                  onChange={({ target }) => setRegion(target.value.toUpperCase())}
                />
              )}
            </Field>
          </div>
          <Code>{command}</Code>
          <div className="row">
            <CopyButton text={command} />
          </div>
        </div>
      </Panel>
      <Panel title={t("join.progress")} note={t("join.progress.note")}>
        <Progress wallet={wallet} />
      </Panel>
    </div>
  );
}

/** The steps of the newest machine that names this wallet. They are read again until the machine serves. */
function Progress({ wallet }: { wallet: string }) {
  const { t } = useSettings();
  const query = useRoute("GET /v1/nodes", { query: { wallet, limit: 200 } }, { every: 2_000 });
  return (
    <Loaded query={query}>
      {({ nodes }) => {
        const newest = nodes.at(-1);
        if (newest === undefined) {
          return (
            <p role="status" className="muted">
              {t("join.waiting")}
            </p>
          );
        }
        return <Steps id={newest.id} wallet={wallet} />;
      }}
    </Loaded>
  );
}

function Steps({ id, wallet }: { id: number; wallet: string }) {
  const { t } = useSettings();
  const query = useRoute("GET /v1/nodes/{id}", { path: { id: String(id) } }, { every: 2_000 });
  return (
    <Loaded query={query}>
      {(node) => {
        const steps = [
          ["registered", true],
          ["session", node.session !== null],
          ["tunnel", node.connected],
          ["measured", node.measurement !== null],
          ["accepted", node.wallet?.toLowerCase() === wallet.toLowerCase()],
        ] as const;
        return (
          <>
            <p>
              <NodeLink id={id} />
            </p>
            <ol className="steps">
              {steps.map(([name, done]) => (
                <li key={name}>
                  <Icon name={done ? "good" : "wait"} className={done ? "is-good" : "is-warn"} />
                  <span>{t(`join.step.${name}`)}</span>
                  <span className="detail">{done ? t("join.done") : t(`join.todo.${name}`, { id })}</span>
                </li>
              ))}
            </ol>
          </>
        );
      }}
    </Loaded>
  );
}
