import { useSettings } from "../../app/settings.tsx";
import type { Market } from "./types.ts";

/** How far each level of finality is. */
export function Heads({ heads }: { heads: Market["heads"] }) {
  const { t, format } = useSettings();
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("head.tier")}</th>
            <th scope="col" className="number">
              {t("head.block")}
            </th>
            <th scope="col" className="number">
              {t("head.time")}
            </th>
          </tr>
        </thead>
        <tbody>
          {heads.map(({ tier, block, time }) => (
            <tr key={tier}>
              <td>{t(`tier.${tier}`)}</td>
              <td className="number">{format.count(BigInt(block))}</td>
              <td className="number">{format.ago(time)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
