import { Link } from "@tanstack/react-router";
import { useSettings } from "../../app/settings.tsx";
import { perHour, regionName } from "../../format.ts";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Badge, type Tone } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import type { Workspace } from "./types.ts";

type Replica = Workspace["replicaList"][number];

const tones: Record<NonNullable<Replica["state"]>, Tone> = {
  none: "idle",
  assigned: "warn",
  ready: "warn",
  running: "good",
  stopped: "idle",
  failed: "bad",
  deleted: "idle",
  released: "idle",
};

/** Each replica: where it is, how far it is, what it costs, and why it does not run. */
export function Replicas({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  return (
    <Table
      columns={[
        { text: t("replica.name") },
        { text: t("replica.state") },
        { text: t("replica.node") },
        { text: t("replica.endpoints") },
        { text: t("replica.price"), number: true },
        { text: t("replica.placement") },
      ]}
    >
      {workspace.replicaList.map((replica) => (
        <Row key={replica.replica} replica={replica} />
      ))}
    </Table>
  );
}

function Row({ replica }: { replica: Replica }) {
  const { t, format } = useSettings();
  const { node, placement, pricePerSecond, endpoints, percent } = replica;
  return (
    <tr>
      <td>
        {replica.replica}
        {replica.lease === null ? null : (
          <span className="unit"> {t("replica.lease", { lease: replica.lease })}</span>
        )}
      </td>
      <td>
        <State replica={replica} />
        {percent === null || percent >= 100 ? null : (
          <span className="unit"> {format.percent(percent / 100)}</span>
        )}
        {replica.reason === null ? null : (
          <div className="muted" lang="en">
            {replica.reason.message}
          </div>
        )}
      </td>
      <td>{node === null ? <span className="muted">{t("none")}</span> : <Where node={node} />}</td>
      <td>
        {endpoints.length === 0 ? <span className="muted">{t("none")}</span> : null}
        {endpoints.map(({ containerPort, host, port }) => (
          <div key={containerPort}>
            <code>
              {host}:{port}
            </code>
            <span className="unit"> → {containerPort}</span>
          </div>
        ))}
      </td>
      <td className="number">{pricePerSecond === null ? t("none") : perHour(pricePerSecond)}</td>
      <td>
        {placement === null ? (
          <span className="muted">{t("none")}</span>
        ) : (
          <Link to="/placements/$id" params={{ id: placement.id }}>
            {t(placementText(placement.status))}
          </Link>
        )}
      </td>
    </tr>
  );
}

function State({ replica: { state, releaseReason } }: { replica: Replica }) {
  const { t } = useSettings();
  if (state === null) return <Badge tone="idle">{t("replica.unplaced")}</Badge>;
  if (releaseReason !== null) return <Badge tone="idle">{t("replica.state.released")}</Badge>;
  return <Badge tone={tones[state]}>{t(`replica.state.${state}`)}</Badge>;
}

function Where({ node }: { node: NonNullable<Replica["node"]> }) {
  const { language } = useSettings();
  return (
    <>
      <NodeLink id={node.id} />
      <span className="unit">
        {" "}
        {[regionName(node.region, language), node.gpuName].filter((one) => one !== null).join(", ")}
      </span>
    </>
  );
}

const known = ["requested", "answered", "impossible", "used", "refused"] as const;
export function placementText(status: string) {
  const found = known.find((one) => one === status) ?? "answered";
  return `placement.status.${found}` as const;
}
