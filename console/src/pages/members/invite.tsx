import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Secret } from "../../ui/secret.tsx";
import { isRole, type Role, roles } from "./roles.ts";

type Form = { name: string; role: Role; wallet: string };
const empty: Form = { name: "", role: "developer", wallet: "" };

/** Makes an invitation, as a link that is shown once. The part behind `#` never leaves the browser that opens it. */
export function Invite() {
  const t = useText();
  const { api } = useSession();
  const queries = useQueryClient();
  const [form, setForm] = useState(empty);
  const invite = useMutation({
    mutationFn: () =>
      api.call("POST /v1/members/invitations", {
        body: {
          role: form.role,
          ...(form.name.trim() === "" ? {} : { name: form.name.trim() }),
          ...(form.wallet.trim() === "" ? {} : { wallet: form.wallet.trim() }),
        },
      }),
    onSuccess: () => {
      setForm(empty);
      return queries.invalidateQueries();
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        invite.mutate();
      }}
    >
      <div className="fields">
        <Field label={t("workspace.name")}>
          {(control) => (
            <input
              {...control}
              maxLength={100}
              value={form.name}
              onChange={({ target }) => setForm({ ...form, name: target.value })}
            />
          )}
        </Field>
        <Field label={t("members.role")} help={t(`role.${form.role}.text`)}>
          {(control) => (
            <select
              {...control}
              value={form.role}
              onChange={({ target }) => isRole(target.value) && setForm({ ...form, role: target.value })}
            >
              {roles.map((role) => (
                <option key={role} value={role}>
                  {t(`role.${role}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t("account.wallet")} help={t("members.wallet.help")}>
          {(control) => (
            <input
              {...control}
              spellCheck={false}
              value={form.wallet}
              onChange={({ target }) => setForm({ ...form, wallet: target.value })}
            />
          )}
        </Field>
      </div>
      <div className="row">
        <Button kind="primary" type="submit" disabled={invite.isPending}>
          {t("members.invite.action")}
        </Button>
      </div>
      <ErrorNotice error={invite.error} />
      {invite.data === undefined ? null : (
        <Secret title={t("members.invited")} text={`${location.origin}/sign-in#${invite.data.invitation}`} />
      )}
    </form>
  );
}
