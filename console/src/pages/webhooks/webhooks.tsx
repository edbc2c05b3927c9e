import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { LongTable } from "../../ui/longTable.tsx";
import { Empty, ErrorNotice, Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Secret } from "../../ui/secret.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { WebhookStatus } from "./status.tsx";

export function WebhooksPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Webhooks />;
}

/** Where the account's events are sent. */
function Webhooks() {
  const { t, format } = useSettings();
  const list = useRoute("GET /v1/webhooks", {}, { every: 10_000 });
  return (
    <Page title={t("webhooks.title")} lead={t("webhooks.lead")}>
      <Panel title={t("webhooks.new")} note={t("webhooks.new.note")}>
        <NewWebhook />
      </Panel>
      <Panel flush>
        <Loaded query={list}>
          {({ webhooks }) =>
            webhooks.length === 0 ? (
              <Empty>{t("webhooks.none")}</Empty>
            ) : (
              <LongTable
                label={t("webhooks.title")}
                columns={[
                  { text: t("webhooks.url") },
                  { text: t("workspace.status") },
                  { text: t("webhooks.events") },
                  { text: t("webhooks.created") },
                ]}
                rows={webhooks}
                keyOf={({ id }) => id}
                cells={(one) => [
                  <Link key="url" to="/webhooks/$id" params={{ id: one.id }}>
                    {one.url}
                  </Link>,
                  <WebhookStatus key="status" webhook={one} />,
                  one.events === null ? t("webhooks.events.all") : one.events.join(", "),
                  format.time(one.createdAt),
                ]}
              />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}

function NewWebhook() {
  const { t } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const create = useMutation({
    mutationFn: () => api.call("POST /v1/webhooks", { body: { url: url.trim(), description } }),
    onSuccess: () => {
      setUrl("");
      setDescription("");
      return queries.invalidateQueries();
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <div className="fields">
        <Field label={t("webhooks.url")} help={t("webhooks.url.help")}>
          {(control) => (
            <input
              {...control}
              type="url"
              spellCheck={false}
              value={url}
              onChange={({ target }) => setUrl(target.value)}
            />
          )}
        </Field>
        <Field label={t("webhooks.description")}>
          {(control) => (
            <input
              {...control}
              maxLength={200}
              value={description}
              onChange={({ target }) => setDescription(target.value)}
            />
          )}
        </Field>
      </div>
      <div className="row">
        <Button kind="primary" type="submit" disabled={create.isPending || url.trim() === ""}>
          {t("webhooks.create")}
        </Button>
      </div>
      <ErrorNotice error={create.error} />
      {create.data === undefined ? null : (
        <Secret title={t("webhooks.made", { url: create.data.url })} text={create.data.secret} />
      )}
    </form>
  );
}
