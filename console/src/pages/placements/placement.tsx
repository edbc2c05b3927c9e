import type { Schema } from "@ngpu/api-client/client";
import { useParams } from "@tanstack/react-router";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Code, Facts, Page, Panel } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { VerifyPanel } from "../../verify/panel.tsx";
import { placementText } from "../workspaces/replicas.tsx";

type Placement = Schema<"Placement">;

export function PlacementPage() {
  const { id } = useParams({ from: "/placements/$id" });
  const { t } = useSettings();
  const placement = useRoute("GET /v1/placements/{id}", { path: { id } });
  return (
    <Page title={t("placement.title")} lead={t("placement.lead")}>
      <Loaded query={placement}>
        {(data) => (
          <>
            <div className="columns">
              <Panel title={t("placement.decision")}>
                <Decision placement={data} />
              </Panel>
              <Panel title={t("placement.refused")} note={t("placement.refused.note")}>
                <Refused counts={data.refusals?.counts} />
              </Panel>
            </div>
            <Panel title={t("placement.ranking")} note={t("placement.ranking.note")} flush>
              <Ranking ranking={data.ranking} />
            </Panel>
            {data.assignTx === null ? null : (
              <Panel title={t("verify.title")} note={t("verify.note")}>
                <VerifyPanel subject="placement" verify={(of) => verify(data, of)} />
              </Panel>
            )}
            <Panel title={t("placement.verify")}>
              <Code>{`npm run cli -- verify placement ${data.id}`}</Code>
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

async function verify(placement: Placement, of: { deployment: unknown; rpcUrl: string }) {
  const { verifyPlacement } = await import("../../verify/placement.ts");
  return verifyPlacement(placement, of.deployment, of.rpcUrl);
}

function Decision({ placement }: { placement: Placement }) {
  const { t, format } = useSettings();
  const { workspaceId, replica, status, nodeId, block, position, excluded, refusal, assignTx } = placement;
  return (
    <Facts
      facts={[
        [t("placement.workspace"), t("placement.replica", { workspace: workspaceId, replica })],
        [t("placement.status"), t(placementText(status))],
        [t("placement.node"), nodeId === null ? null : <NodeLink key="node" id={nodeId} />],
        [t("head.block"), block === null ? null : block.number],
        [t("placement.hash"), block === null ? null : <code key="hash">{block.hash}</code>],
        [t("placement.position"), position],
        [t("placement.excluded"), excluded.length === 0 ? t("none") : excluded.join(", ")],
        [t("placement.refusal"), refusal],
        [t("placement.assigned"), assignTx === null ? null : <code key="tx">{assignTx}</code>],
        [t("placement.when"), placement.answeredAt === null ? null : format.time(placement.answeredAt)],
      ]}
    />
  );
}

/** How many nodes each dimension rejected. */
function Refused({ counts }: { counts: unknown }) {
  const { t, format } = useSettings();
  const entries = Object.entries((counts ?? {}) as Record<string, number>);
  if (entries.length === 0) return <p className="muted">{t("placement.refused.none")}</p>;
  return <Facts facts={entries.map(([dimension, count]) => [dimension, format.count(count)] as const)} />;
}

/** The nodes that fit, best first, with what ranked them. */
function Ranking({ ranking }: { ranking: readonly unknown[] }) {
  const { t } = useSettings();
  const rows = ranking as Record<string, unknown>[];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (rows.length === 0) return <Empty>{t("placement.ranking.none")}</Empty>;
  return (
    <Table columns={[{ text: t("placement.rank") }, ...names.map((text) => ({ text, code: true }))]}>
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place in the ranking is the row's identity.
        <tr key={index}>
          <td>{index + 1}</td>
          {names.map((name) => (
            <td key={name}>{shown(row[name])}</td>
          ))}
        </tr>
      ))}
    </Table>
  );
}

const shown = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
