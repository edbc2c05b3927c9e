import { useSettings } from "../../app/settings.tsx";
import { perHour } from "../../format.ts";
import { Empty } from "../../ui/notices.tsx";
import { Meter } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import type { Market } from "./types.ts";

export function Models({ models }: { models: Market["models"] }) {
  const { t, format } = useSettings();
  if (models.length === 0) return <Empty>{t("market.models.none")}</Empty>;
  return (
    <Table
      columns={[
        { text: t("model.name") },
        { text: t("model.available") },
        { text: t("model.nodes"), number: true },
        { text: t("model.lowest"), number: true },
        { text: t("model.median"), number: true },
      ]}
    >
      {models.map((model) => (
        <tr key={model.name ?? ""}>
          <td>
            {model.name ?? t("model.cpu")}{" "}
            {model.vramMib > 0 ? <span className="unit">{format.memory(model.vramMib)}</span> : null}
          </td>
          <td>
            <Available model={model} />
          </td>
          <td className="number">
            {format.count(model.online)}
            <span className="unit"> / {format.count(model.nodes)}</span>
          </td>
          <Price perSecond={model.lowestPrice} />
          <Price perSecond={model.medianPrice} />
        </tr>
      ))}
    </Table>
  );
}

function Available({ model }: { model: Market["models"][number] }) {
  const { t, format } = useSettings();
  const [free, total] = model.gpus > 0 ? [model.freeGpus, model.gpus] : [model.online, model.nodes];
  const text = t(model.gpus > 0 ? "model.freeOf" : "model.onlineOf", {
    free: format.count(free),
    total: format.count(total),
  });
  return <Meter share={total === 0 ? 0 : free / total} text={text} />;
}

function Price({ perSecond }: { perSecond: string | null }) {
  const { t } = useSettings();
  return (
    <td className="number">
      {perSecond === null ? (
        <span className="muted">{t("none")}</span>
      ) : (
        <>
          {perHour(perSecond)} <span className="unit">{t("price.hour")}</span>
        </>
      )}
    </td>
  );
}
