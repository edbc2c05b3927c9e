import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button, Confirm } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import type { Workspace } from "./types.ts";

type Order = "start" | "stop" | "delete" | { replicas: number };

/** Starts, stops, scales and deletes a workspace. */
export function Orders({ workspace }: { workspace: Workspace }) {
  const t = useText();
  const { api } = useSession();
  const queries = useQueryClient();
  const [asks, setAsks] = useState(false);
  const { id, status, replicas } = workspace;
  const order = useMutation({
    mutationFn: async (wanted: Order) => {
      const path = { id };
      if (wanted === "start") return api.call("POST /v1/workspaces/{id}/start", { path });
      if (wanted === "stop") return api.call("POST /v1/workspaces/{id}/stop", { path });
      if (wanted === "delete") return api.call("DELETE /v1/workspaces/{id}", { path });
      return api.call("POST /v1/workspaces/{id}/update", { path, body: wanted });
    },
    onSettled: () => queries.invalidateQueries(),
  });
  if (status === "closed" || status === "expired") return null;
  const give = (wanted: Order) => order.mutate(wanted);
  return (
    <div className="stack">
      <div className="row">
        {status === "stopped" ? (
          <Button kind="primary" disabled={order.isPending} onClick={() => give("start")}>
            {t("order.start")}
          </Button>
        ) : (
          <Button disabled={order.isPending} onClick={() => give("stop")}>
            {t("order.stop")}
          </Button>
        )}
        <Button
          disabled={order.isPending || replicas.wanted <= 1}
          aria-label={t("order.fewer")}
          onClick={() => give({ replicas: replicas.wanted - 1 })}
        >
          −
        </Button>
        <Button
          disabled={order.isPending}
          aria-label={t("order.more")}
          onClick={() => give({ replicas: replicas.wanted + 1 })}
        >
          +
        </Button>
        <Button kind="danger" disabled={order.isPending} onClick={() => setAsks(true)}>
          {t("order.delete")}
        </Button>
      </div>
      {order.error === null ? null : <ErrorNotice error={order.error} />}
      <Confirm
        open={asks}
        title={t("order.delete.title", { name: workspace.name ?? id })}
        text={t("order.delete.text")}
        yes={t("order.delete")}
        no={t("cancel")}
        onAnswer={(yes) => {
          setAsks(false);
          if (yes) give("delete");
        }}
      />
    </div>
  );
}
