import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import type { MessageKey } from "../../i18n/types.ts";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice, Notice } from "../../ui/notices.tsx";
import { differenceOf } from "./difference.ts";
import type { Workspace } from "./types.ts";
import { documentOf, formOf, type UpdateForm, updateOf } from "./updateForm.ts";

const fields: { name: keyof UpdateForm; label: MessageKey; help?: MessageKey; lines?: true }[] = [
  { name: "image", label: "workspace.image", help: "deploy.image.help" },
  { name: "health", label: "update.health", help: "update.health.help" },
  { name: "replicas", label: "workspace.replicas" },
  { name: "pricePerHour", label: "deploy.price" },
  { name: "env", label: "deploy.env", help: "deploy.env.help", lines: true },
  { name: "command", label: "deploy.command", help: "deploy.command.help", lines: true },
];

/** Changes a workspace. What changes is shown before it is sent. */
export function Update({ workspace }: { workspace: Workspace }) {
  const t = useText();
  const { api } = useSession();
  const queries = useQueryClient();
  const before = formOf(workspace);
  const [form, setForm] = useState(before);
  const body = updateOf(before, form);
  const send = useMutation({
    mutationFn: () => api.call("POST /v1/workspaces/{id}/update", { path: { id: workspace.id }, body }),
    onSuccess: () => queries.invalidateQueries(),
  });
  const isSame = Object.keys(body).length === 0;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate();
      }}
    >
      <div className="fields">
        {fields.map(({ name, label, help, lines }) => (
          <Field
            key={name}
            wide={lines === true || name === "image"}
            label={t(label)}
            help={help === undefined ? undefined : t(help)}
          >
            {(control) => {
              const given = {
                ...control,
                spellCheck: false,
                autoCapitalize: "none",
                value: form[name],
                onChange: ({ target }: { target: { value: string } }) =>
                  setForm({ ...form, [name]: target.value }),
              };
              return lines === true ? <textarea {...given} /> : <input {...given} />;
            }}
          </Field>
        ))}
      </div>
      {isSame ? <p className="muted">{t("update.same")}</p> : <Difference before={before} after={form} />}
      <div className="row">
        <Button kind="primary" type="submit" disabled={isSame || send.isPending}>
          {t("update.action")}
        </Button>
        <Button disabled={isSame} onClick={() => setForm(before)}>
          {t("update.reset")}
        </Button>
      </div>
      <ErrorNotice error={send.error} />
      {send.isSuccess ? <Notice tone="good" title={t("update.sent")} /> : null}
    </form>
  );
}

function Difference({ before, after }: { before: UpdateForm; after: UpdateForm }) {
  const t = useText();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls is scrolled by keys.
    <section className="code diff" tabIndex={0} aria-label={t("update.difference")}>
      {differenceOf(documentOf(before), documentOf(after)).map(({ sign, text }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line's place is its identity.
        <div key={index} className={sign === "+" ? "added" : sign === "-" ? "removed" : undefined}>
          <span>{sign}</span> {text}
        </div>
      ))}
    </section>
  );
}
