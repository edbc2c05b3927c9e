import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Button, Confirm } from "../../ui/form.tsx";
import { LongTable } from "../../ui/longTable.tsx";
import { ErrorNotice, Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Secret } from "../../ui/secret.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { NewKey } from "./newKey.tsx";
import type { Key } from "./types.ts";

/** The account's keys: what each may do, what it has spent, and when it was used. */
export function KeysPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Keys />;
}

function Keys() {
  const { t } = useSettings();
  const keys = useRoute("GET /v1/keys", {}, { every: 15_000 });
  return (
    <Page title={t("keys.title")} lead={t("keys.lead")}>
      <Panel title={t("keys.new")} note={t("keys.new.note")}>
        <NewKey />
      </Panel>
      <Loaded query={keys}>{({ keys: list }) => <List keys={list} />}</Loaded>
    </Page>
  );
}

function List({ keys }: { keys: Key[] }) {
  const { t, format } = useSettings();
  const { api, apiKey = "" } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Key>();
  const onSettled = () => queries.invalidateQueries();
  const rotate = useMutation({
    mutationFn: ({ id }: Key) => api.call("POST /v1/keys/{id}/rotate", { path: { id }, body: {} }),
    onSettled,
  });
  const revoke = useMutation({
    mutationFn: ({ id }: Key) => api.call("DELETE /v1/keys/{id}", { path: { id } }),
    onSettled,
  });
  const isOwn = ({ id }: Key) => apiKey.startsWith(`ngpu_${id}_`);
  return (
    <>
      <ErrorNotice error={rotate.error ?? revoke.error} />
      {rotate.data === undefined ? null : (
        <Secret
          title={t("keys.rotated", { name: rotate.data.name, when: format.time(rotate.data.acceptedUntil) })}
          text={rotate.data.apiKey}
        />
      )}
      <Panel flush>
        <LongTable
          label={t("keys.title")}
          columns={[
            { text: t("workspace.name") },
            { text: t("keys.scopes") },
            { text: t("keys.lastUse") },
            { text: t("keys.expires") },
            { text: t("keys.rate"), number: true },
            { text: t("keys.spending"), number: true },
            { text: t("keys.actions") },
          ]}
          rows={keys}
          keyOf={({ id }) => id}
          cells={(key) => [
            <span key="name">
              {key.name} {isOwn(key) ? <span className="unit">{t("keys.own")}</span> : null}
            </span>,
            key.scopes === null ? t("keys.all") : key.scopes.join(", "),
            key.lastUsedAt === null ? t("keys.unused") : format.ago(key.lastUsedAt),
            key.expiresAt === null ? t("never") : format.time(key.expiresAt),
            key.ratePerMinute === null ? t("none") : format.count(key.ratePerMinute),
            key.spendPerDay === null
              ? t("none")
              : t("use.of", { used: tokens(key.spentToday), limit: tokens(key.spendPerDay) }),
            <span className="row" key="actions">
              <Button kind="quiet" disabled={rotate.isPending} onClick={() => rotate.mutate(key)}>
                {t("keys.rotate")}
              </Button>
              <Button kind="quiet" disabled={revoke.isPending || isOwn(key)} onClick={() => setAsked(key)}>
                {t("keys.revoke")}
              </Button>
            </span>,
          ]}
        />
      </Panel>
      <Confirm
        open={asked !== undefined}
        title={t("keys.revoke.title", { name: asked?.name ?? "" })}
        text={t("keys.revoke.text")}
        yes={t("keys.revoke")}
        no={t("cancel")}
        onAnswer={(yes) => {
          if (yes && asked !== undefined) revoke.mutate(asked);
          setAsked(undefined);
        }}
      />
    </>
  );
}
