import type { InputOf } from "@ngpu/api-client/routes";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { unitsOf } from "../../format.ts";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Secret } from "../../ui/secret.tsx";
import type { Key } from "./types.ts";

type Scope = NonNullable<Key["scopes"]>[number];

const scopes: readonly Scope[] = [
  "read",
  "tasks",
  "workspaces",
  "logs",
  "exec",
  "secrets",
  "payments",
  "members",
  "audit",
  "webhooks",
  "keys",
] as const;

type Form = { name: string; scopes: readonly Scope[]; days: string; rate: string; spend: string };
const empty: Form = { name: "", scopes: [], days: "", rate: "", spend: "" };

/** Creates a key with at most what its program needs. */
export function NewKey() {
  const t = useText();
  const { api } = useSession();
  const queries = useQueryClient();
  const [form, setForm] = useState(empty);
  const create = useMutation({
    mutationFn: () => api.call("POST /v1/keys", { body: bodyOf(form) }),
    onSuccess: () => {
      setForm(empty);
      return queries.invalidateQueries();
    },
  });
  const text = (
    name: "name" | "days" | "rate" | "spend",
    label: Parameters<typeof t>[0],
    help?: Parameters<typeof t>[0],
  ) => (
    <Field
      label={t(label)}
      help={help === undefined ? undefined : t(help)}
      error={name === "days" && !isDays(form.days) ? t("keys.days.wrong") : undefined}
    >
      {(control) => (
        <input
          {...control}
          inputMode={name === "name" ? "text" : "decimal"}
          value={form[name]}
          onChange={({ target }) => setForm({ ...form, [name]: target.value })}
        />
      )}
    </Field>
  );
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <div className="fields">
        {text("name", "workspace.name")}
        {text("days", "keys.days", "keys.days.help")}
        {text("rate", "keys.rate", "keys.rate.help")}
        {text("spend", "keys.spending", "keys.spending.help")}
      </div>
      <Scopes chosen={form.scopes} choose={(chosen) => setForm({ ...form, scopes: chosen })} />
      <div className="row">
        <Button
          kind="primary"
          type="submit"
          disabled={create.isPending || form.name.trim() === "" || !isDays(form.days)}
        >
          {t("keys.create")}
        </Button>
      </div>
      <ErrorNotice error={create.error} />
      {create.data === undefined ? null : (
        <Secret title={t("keys.created", { name: create.data.name })} text={create.data.apiKey} />
      )}
    </form>
  );
}

function Scopes({
  chosen,
  choose,
}: {
  chosen: readonly Scope[];
  choose: (chosen: readonly Scope[]) => unknown;
}) {
  const t = useText();
  const toggle = (scope: Scope) =>
    choose(chosen.includes(scope) ? chosen.filter((one) => one !== scope) : [...chosen, scope]);
  return (
    <fieldset className="choices">
      <legend>{t("keys.scopes")}</legend>
      {scopes.map((scope) => (
        <label key={scope}>
          <input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />
          <span>
            <code>{scope}</code> {t(`scope.${scope}`)}
          </span>
        </label>
      ))}
      <p className="muted">{t("keys.scopes.help")}</p>
    </fieldset>
  );
}

const day = 86_400_000;
/** Days that a date can count. */
const longest = 36_500;

const isDays = (text: string) => text.trim() === "" || (Number(text) > 0 && Number(text) <= longest);

/** The API says what is wrong with a value. */
function bodyOf({ name, scopes: chosen, days, rate, spend }: Form): InputOf<"POST /v1/keys">["body"] {
  return {
    name: name.trim(),
    ...(chosen.length === 0 ? {} : { scopes: [...chosen] }),
    ...(days.trim() === "" ? {} : { expiresAt: new Date(Date.now() + Number(days) * day).toISOString() }),
    ...(rate.trim() === "" ? {} : { ratePerMinute: Number(rate) }),
    ...(spend.trim() === "" ? {} : { spendPerDay: String(unitsOf(spend) ?? spend) }),
  };
}
