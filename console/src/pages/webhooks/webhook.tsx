import type { Schema } from "@ngpu/api-client/client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button, Confirm } from "../../ui/form.tsx";
import { ErrorNotice, Loaded } from "../../ui/notices.tsx";
import { Facts, Page, Panel } from "../../ui/page.tsx";
import { Secret } from "../../ui/secret.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { Deliveries } from "./deliveries.tsx";
import { WebhookStatus } from "./status.tsx";

export function WebhookPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Shown />;
}

function Shown() {
  const { id } = useParams({ from: "/webhooks/$id" });
  const { t } = useSettings();
  const query = useRoute("GET /v1/webhooks/{id}", { path: { id } }, { every: 10_000 });
  return (
    <Page title={t("webhooks.one")} lead={query.data?.url ?? t("webhooks.lead")}>
      <Loaded query={query}>{(webhook) => <Parts webhook={webhook} />}</Loaded>
    </Page>
  );
}

type Order = "rotate" | "disable" | "enable" | "test" | "delete";

function Parts({ webhook }: { webhook: Schema<"Webhook"> }) {
  const { t, format } = useSettings();
  const { id, events, description, createdAt, failingSince } = webhook;
  return (
    <>
      <Panel title={t("webhooks.about")}>
        <div className="stack">
          <Facts
            facts={[
              [t("workspace.status"), <WebhookStatus key="status" webhook={webhook} />],
              [t("webhooks.description"), description],
              [t("webhooks.events"), events === null ? t("webhooks.events.all") : events.join(", ")],
              [t("webhooks.created"), format.time(createdAt)],
              [t("webhooks.failing"), failingSince === null ? null : format.time(failingSince)],
            ]}
          />
          <Orders webhook={webhook} />
        </div>
      </Panel>
      <Panel title={t("webhooks.deliveries")} note={t("webhooks.deliveries.note")} flush>
        <Deliveries id={id} />
      </Panel>
    </>
  );
}

function Orders({ webhook: { id, url, disabledAt } }: { webhook: Schema<"Webhook"> }) {
  const { t } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asks, setAsks] = useState(false);
  const [secret, setSecret] = useState<string>();
  const order = useMutation({
    mutationFn: async (wanted: Order) => {
      const path = { id };
      if (wanted === "rotate") {
        const rotated = await api.call("POST /v1/webhooks/{id}/rotate", { path, body: {} });
        setSecret(rotated.secret);
      } else if (wanted === "disable") await api.call("POST /v1/webhooks/{id}/disable", { path });
      else if (wanted === "enable") await api.call("POST /v1/webhooks/{id}/enable", { path });
      else if (wanted === "test") await api.call("POST /v1/webhooks/{id}/test", { path });
      else {
        await api.call("DELETE /v1/webhooks/{id}", { path });
        await navigate({ to: "/webhooks" });
      }
    },
    onSettled: () => queries.invalidateQueries(),
  });
  const button = (wanted: Order) => (
    <Button disabled={order.isPending} onClick={() => order.mutate(wanted)}>
      {t(`webhooks.order.${wanted}`)}
    </Button>
  );
  return (
    <>
      <div className="row">
        {button("test")}
        {button("rotate")}
        {button(disabledAt === null ? "disable" : "enable")}
        <Button kind="danger" disabled={order.isPending} onClick={() => setAsks(true)}>
          {t("webhooks.order.delete")}
        </Button>
      </div>
      <ErrorNotice error={order.error} />
      {secret === undefined ? null : <Secret title={t("webhooks.rotated")} text={secret} />}
      <Confirm
        open={asks}
        title={t("webhooks.delete.title")}
        text={url}
        yes={t("webhooks.order.delete")}
        no={t("cancel")}
        onAnswer={(yes) => {
          setAsks(false);
          if (yes) order.mutate("delete");
        }}
      />
    </>
  );
}
