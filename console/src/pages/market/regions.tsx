import { useSettings } from "../../app/settings.tsx";
import { regionName } from "../../format.ts";
import { Empty } from "../../ui/notices.tsx";
import { Table } from "../../ui/table.tsx";
import type { Market } from "./types.ts";

/** Regions that are listed; the rest are counted together. */
const shown = 8;

export function Regions({ regions }: { regions: Market["regions"] }) {
  const { t, format, language } = useSettings();
  if (regions.length === 0) return <Empty>{t("market.models.none")}</Empty>;
  const rest = regions.slice(shown);
  const others = rest.reduce(
    (sum, { nodes, online }) => ({ nodes: sum.nodes + nodes, online: sum.online + online }),
    { nodes: 0, online: 0 },
  );
  const rows = regions.slice(0, shown).map(({ region, nodes, online }) => ({
    name: regionName(region, language) ?? t("region.undeclared"),
    nodes,
    online,
  }));
  if (rest.length > 0) rows.push({ name: t("region.others", { count: rest.length }), ...others });
  return (
    <Table columns={[{ text: t("region.name") }, { text: t("region.online"), number: true }]}>
      {rows.map(({ name, nodes, online }) => (
        <tr key={name}>
          <td>{name}</td>
          <td className="number">
            {format.count(online)}
            <span className="unit"> / {format.count(nodes)}</span>
          </td>
        </tr>
      ))}
    </Table>
  );
}
