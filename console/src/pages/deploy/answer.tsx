import type { Schema } from "@ngpu/api-client/client";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { perHour } from "../../format.ts";
import { Loaded, Notice } from "../../ui/notices.tsx";
import { Facts } from "../../ui/page.tsx";
import { type Form, questionOf } from "./form.ts";

/** The time after the last key until the market is asked, ms. */
const pause = 350;

/** Where a workspace of this form would fit now, and what it would cost. */
export function Answer({ form }: { form: Form }) {
  const { api } = useSession();
  const body = useSettled(questionOf(form));
  const query = useQuery({
    queryKey: ["explain", body],
    queryFn: ({ signal }) => api.call("POST /v1/match/explain", { body }, { signal, timeoutMs: 20_000 }),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
  // An invalid form has an error, and no answer that is still so.
  const data = query.error === null ? query.data : undefined;
  return <Loaded query={{ data, error: query.error }}>{(answer) => <Shown answer={answer} />}</Loaded>;
}

function Shown({ answer }: { answer: Schema<"PlacementExplanation"> }) {
  const { t, format } = useSettings();
  const { fitting, nodes, placeable, chosen, nearest, lowestPrice } = answer;
  const title = t(fitting === 0 ? "fits.none" : "fits.some", {
    fitting: format.count(fitting),
    nodes: format.count(nodes),
  });
  return (
    <div className="stack">
      <Notice tone={fitting === 0 ? "warn" : "good"} title={title}>
        {t("fits.placeable", { count: format.count(placeable) })}
      </Notice>
      <Facts
        facts={[
          [t("fits.price"), chosen === null ? null : `${perHour(chosen.pricePerSecond)} ${t("price.hour")}`],
          [t("fits.node"), chosen === null ? null : <NodeLink key="node" id={chosen.nodeId} />],
          [
            t("fits.lowest"),
            lowestPrice === null || lowestPrice === undefined
              ? null
              : `${perHour(lowestPrice)} ${t("price.hour")}`,
          ],
          [t("fits.nearest"), nearest === null ? null : <Nearest key="nearest" nearest={nearest} />],
        ]}
      />
      <details>
        <summary>{t("fits.more")}</summary>
        <ul className="stack muted" lang="en">
          {answer.messages.map((message) => (
            <li key={message}>{message}</li>
          ))}
        </ul>
      </details>
    </div>
  );
}

type NearestNode = NonNullable<Schema<"PlacementExplanation">["nearest"]>;

function Nearest({ nearest: { nodeId, rejections } }: { nearest: NearestNode }) {
  const { t } = useSettings();
  return (
    <>
      <NodeLink id={nodeId} />
      {rejections.map(({ dimension, wanted, has }) => (
        <div key={dimension} className="muted">
          {t("fits.rejection", { dimension, wanted, has })}
        </div>
      ))}
    </>
  );
}

function NodeLink({ id }: { id: number }) {
  const { t } = useSettings();
  return (
    <Link to="/nodes/$id" params={{ id: String(id) }}>
      {t("node.name", { id })}
    </Link>
  );
}

/** A value that has not changed for a while. */
function useSettled<Value>(value: Value): Value {
  const [settled, setSettled] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(JSON.parse(text) as Value), pause);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
