import type { ResultOf } from "@ngpu/api-client/routes";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button, Confirm, Field } from "../../ui/form.tsx";
import { Empty, ErrorNotice, Loaded, Notice } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { SignInPage } from "../account/signIn.tsx";

type Stored = ResultOf<"GET /v1/secrets">["secrets"][number];

/** Values that containers get and no page shows. */
export function SecretsPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Secrets />;
}

function Secrets() {
  const { t } = useSettings();
  const secrets = useRoute("GET /v1/secrets", {}, { every: 15_000 });
  return (
    <Page title={t("secrets.title")} lead={t("secrets.lead")}>
      <Panel title={t("secrets.set")} note={t("secrets.set.note")}>
        <SetSecret />
      </Panel>
      <Panel flush>
        <Loaded query={secrets}>
          {({ secrets: list }) =>
            list.length === 0 ? <Empty>{t("secrets.none")}</Empty> : <List secrets={list} />
          }
        </Loaded>
      </Panel>
    </Page>
  );
}

function SetSecret() {
  const { t } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const set = useMutation({
    mutationFn: async () => {
      await api.call("POST /v1/secrets", { body: { secrets: [{ name: name.trim(), value }] } });
      return name.trim();
    },
    onSuccess: () => {
      setName("");
      setValue("");
      return queries.invalidateQueries();
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        set.mutate();
      }}
    >
      <div className="fields">
        <Field label={t("workspace.name")} help={t("secrets.name.help")}>
          {(control) => (
            <input
              {...control}
              spellCheck={false}
              autoComplete="off"
              value={name}
              onChange={({ target }) => setName(target.value)}
            />
          )}
        </Field>
        <Field label={t("secrets.value")} help={t("secrets.value.help")}>
          {(control) => (
            <input
              {...control}
              type="password"
              autoComplete="off"
              value={value}
              onChange={({ target }) => setValue(target.value)}
            />
          )}
        </Field>
      </div>
      <div className="row">
        <Button kind="primary" type="submit" disabled={set.isPending || name.trim() === "" || value === ""}>
          {t("secrets.set.action")}
        </Button>
      </div>
      <ErrorNotice error={set.error} />
      {set.data === undefined ? null : <Notice tone="good" title={t("secrets.stored", { name: set.data })} />}
    </form>
  );
}

function List({ secrets }: { secrets: Stored[] }) {
  const { t, format } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<string>();
  const remove = useMutation({
    mutationFn: (name: string) => api.call("DELETE /v1/secrets/{name}", { path: { name } }),
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <>
      <ErrorNotice error={remove.error} />
      <Table
        columns={[
          { text: t("workspace.name") },
          { text: t("secrets.version"), number: true },
          { text: t("secrets.size"), number: true },
          { text: t("secrets.changed") },
          { text: t("keys.actions") },
        ]}
      >
        {secrets.map(({ name, version, bytes, updatedAt }) => (
          <tr key={name}>
            <td>
              <code>{name}</code>
            </td>
            <td className="number">{format.count(version)}</td>
            <td className="number">{format.bytes(bytes)}</td>
            <td>{format.time(updatedAt)}</td>
            <td>
              <Button kind="quiet" disabled={remove.isPending} onClick={() => setAsked(name)}>
                {t("secrets.delete")}
              </Button>
            </td>
          </tr>
        ))}
      </Table>
      <Confirm
        open={asked !== undefined}
        title={t("secrets.delete.title", { name: asked ?? "" })}
        text={t("secrets.delete.text")}
        yes={t("secrets.delete")}
        no={t("cancel")}
        onAnswer={(yes) => {
          if (yes && asked !== undefined) remove.mutate(asked);
          setAsked(undefined);
        }}
      />
    </>
  );
}
