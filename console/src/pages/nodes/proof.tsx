import type { Schema } from "@ngpu/api-client/client";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Badge } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";

type Proof = Schema<"NodeProof">;
type Figures = Proof["devices"][number]["claimed"];

const mebibyte = 2 ** 20;
const giga = 1e9;
const tones = { passed: "good", kept: "idle", undecided: "warn", failed: "bad" } as const;

/** What a node claims about its devices, what counts of it, and how the last waves came out. */
export function HardwareProof({ id }: { id: string }) {
  const { t } = useSettings();
  const query = useRoute("GET /v1/nodes/{id}/proof", { path: { id } }, { every: 60_000 });
  return (
    <Loaded query={query}>
      {(proof) =>
        proof.devices.length === 0 ? (
          <Empty>{t("node.proof.none")}</Empty>
        ) : (
          <>
            <Devices proof={proof} />
            <Waves proof={proof} />
          </>
        )
      }
    </Loaded>
  );
}

function Devices({ proof }: { proof: Proof }) {
  const { t } = useSettings();
  return (
    <Table
      columns={[
        { text: t("proof.device") },
        { text: t("proof.claimed"), number: true },
        { text: t("proof.counts"), number: true },
        { text: t("proof.waves"), number: true },
      ]}
    >
      {proof.devices.map(({ device, hardware, claimed, counts, passed, waves }) => (
        <tr key={device}>
          <td>{hardware.model ?? t(hardware.kind === "cpu" ? "proof.cpu" : "proof.gpu")}</td>
          <td className="number">
            <Shown figures={claimed} />
          </td>
          <td className="number">
            <Shown figures={counts} />
          </td>
          <td className="number">
            {passed} / {waves}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Waves({ proof }: { proof: Proof }) {
  const { t } = useSettings();
  return (
    <Table
      columns={[
        { text: t("proof.wave") },
        { text: t("proof.outcome") },
        { text: t("proof.measurers") },
        { text: t("proof.evidence") },
      ]}
    >
      {proof.waves.slice(0, 10).map(({ waveId, held, devices, measurers }) => (
        <tr key={waveId}>
          <td>{waveId}</td>
          <td>
            {held
              ? devices.map(({ device, outcome, contested }) => (
                  <Badge key={device} tone={contested ? "warn" : tones[outcome]}>
                    {t(`proof.${outcome}`)}
                  </Badge>
                ))
              : t("proof.notHeld")}
          </td>
          <td>{measurers.map(({ measurerId }) => measurerId).join(", ")}</td>
          <td>
            {measurers.map(({ measurerId, transcriptsRoot }) => (
              <code key={measurerId} title={transcriptsRoot}>
                {transcriptsRoot.slice(0, 10)}{" "}
              </code>
            ))}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** Memory, its bytes a second, and operations a second. */
function Shown({ figures }: { figures: Figures | null }) {
  const { t, format } = useSettings();
  if (figures === null) return <span className="muted">{t("none")}</span>;
  const { bytes, bytesPerSecond, operationsPerSecond } = figures;
  const memory = format.memory(Number(bytes) / mebibyte);
  const bandwidth = format.decimal(Number(bytesPerSecond) / giga);
  const arithmetic = format.decimal(Number(operationsPerSecond) / giga);
  return (
    <>
      {memory}, {bandwidth} <span className="unit">GB/s</span>, {arithmetic}{" "}
      <span className="unit">Gop/s</span>
    </>
  );
}
