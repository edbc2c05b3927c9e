import { useSettings } from "../../app/settings.tsx";
import { Table } from "../../ui/table.tsx";
import type { Market } from "./types.ts";

/** How far each level of finality is. */
export function Heads({ heads }: { heads: Market["heads"] }) {
  const { t, format } = useSettings();
  return (
    <Table
      columns={[
        { text: t("head.tier") },
        { text: t("head.block"), number: true },
        { text: t("head.time"), number: true },
      ]}
    >
      {heads.map(({ tier, block, time }) => (
        <tr key={tier}>
          <td>{t(`tier.${tier}`)}</td>
          <td className="number">{format.count(BigInt(block))}</td>
          <td className="number">{format.ago(time)}</td>
        </tr>
      ))}
    </Table>
  );
}
