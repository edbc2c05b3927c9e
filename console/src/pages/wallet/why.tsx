import type { Schema } from "@ngpu/api-client/client";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Field } from "../../ui/form.tsx";
import { Icon } from "../../ui/icons.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import type { RewardState } from "./types.ts";

/** Why an account can claim what it can: from heartbeats to the leaf, for each of its nodes. */
export function Why({ reward }: { reward: RewardState }) {
  const { t } = useSettings();
  const nodes = useRoute("GET /v1/nodes", { query: { wallet: reward.account, limit: 200 } });
  const epochs = useRoute("GET /v1/epochs", { query: { limit: 50 } });
  return (
    <Loaded query={nodes}>
      {({ nodes: own }) => (
        <Loaded query={epochs}>
          {({ epochs: posted }) =>
            own.length === 0 || posted.length === 0 ? (
              <Empty>{t("why.none")}</Empty>
            ) : (
              <Chosen
                reward={reward}
                nodes={own.map(({ id }) => id)}
                epochs={posted.map(({ number }) => number)}
              />
            )
          }
        </Loaded>
      )}
    </Loaded>
  );
}

function Chosen({ reward, nodes, epochs }: { reward: RewardState; nodes: number[]; epochs: string[] }) {
  const { t } = useSettings();
  const [nodeId, setNodeId] = useState(String(nodes[0]));
  const [number, setNumber] = useState(reward.epoch ?? String(epochs[0]));
  return (
    <div className="stack">
      <div className="fields">
        <Field label={t("replica.node")}>
          {(control) => (
            <select {...control} value={nodeId} onChange={({ target }) => setNodeId(target.value)}>
              {nodes.map((id) => (
                <option key={id} value={id}>
                  {t("node.name", { id })}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t("epoch.number")}>
          {(control) => (
            <select {...control} value={number} onChange={({ target }) => setNumber(target.value)}>
              {epochs.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <OfEpoch reward={reward} nodeId={nodeId} number={number} />
    </div>
  );
}

function OfEpoch({ reward, nodeId, number }: { reward: RewardState; nodeId: string; number: string }) {
  const { t, format } = useSettings();
  const query = useRoute("GET /v1/epochs/{number}/nodes/{nodeId}", { path: { number, nodeId } });
  if (query.isError) return <p className="muted">{t("reward.unexplained", { number })}</p>;
  return (
    <Loaded query={query}>
      {(explained) => (
        <ol className="steps">
          {stepsOf(explained, reward, { t, count: (digits) => format.count(BigInt(digits)) }).map(
            ({ key, title, detail, good }) => (
              <li key={key}>
                <Icon name={good ? "good" : "wait"} className={good ? "is-good" : "is-warn"} />
                <span>{title}</span>
                <span className="detail">{detail}</span>
              </li>
            ),
          )}
        </ol>
      )}
    </Loaded>
  );
}

type Words = { t: ReturnType<typeof useSettings>["t"]; count: (digits: string) => string };
type WhyStep = { key: string; title: string; detail: string; good: boolean };

/** Each term of the formula with its figures, in the order in which one follows from another. */
function stepsOf(
  { slots, reached, shares, tasks, bond, earned }: Schema<"RewardExplanation">,
  reward: RewardState,
  { t, count }: Words,
): WhyStep[] {
  const ngpu = (units: string) => `${tokens(units, 6)} NGPU`;
  const step = (key: string, good: boolean, title: string, detail: string) => ({ key, good, title, detail });
  return [
    step("beats", slots.counted > 0, t("why.heartbeats"), t("why.heartbeats.detail", slots)),
    step("reached", reached, t("why.measured"), t(reached ? "why.measured.yes" : "why.measured.no")),
    ...shares.flatMap((share) => [
      step(
        `units ${share.class}`,
        true,
        t("why.units", { class: share.class }),
        t("why.units.detail", {
          units: count(share.units),
          unit: t(`why.unit.${share.unit}`),
          slots: share.slots,
          result: count(share.unitSlots),
        }),
      ),
      step(
        `weight ${share.class}`,
        true,
        t("why.weight"),
        t("why.weight.detail", {
          own: count(share.unitSlots),
          all: count(share.classUnitSlots),
          granted: ngpu(share.granted),
          pot: ngpu(share.pot),
        }),
      ),
      step(`share ${share.class}`, true, t("why.share"), ngpu(share.amount)),
    ]),
    ...tasks.map(({ workspaceId, replica, lease, amount }) =>
      step(
        `task ${workspaceId}/${replica}/${lease}`,
        true,
        t("why.task", { lease: `${workspaceId}/${replica}/${lease}` }),
        ngpu(amount),
      ),
    ),
    step("earned", earned !== "0", t("why.earned"), ngpu(earned)),
    ...(bond === null
      ? []
      : [
          step(
            "bond",
            bond.served,
            t("why.bond"),
            t(bond.served ? "why.bond.served" : "why.bond.withheld", {
              withheld: ngpu(bond.withheld),
              days: bond.days,
              needed: bond.daysNeeded,
            }),
          ),
        ]),
    step(
      "leaf",
      reward.active,
      t("why.leaf"),
      t("why.leaf.detail", {
        cumulative: ngpu(reward.cumulative),
        claimed: ngpu(reward.claimed),
        claimable: ngpu(reward.claimable),
      }),
    ),
  ];
}
