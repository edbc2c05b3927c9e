import type { ResultOf } from "@ngpu/api-client/routes";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { short } from "../../format.ts";
import { Button, Confirm } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Table } from "../../ui/table.tsx";
import { isRole, type Role, roles } from "./roles.ts";

type Member = ResultOf<"GET /v1/members">["members"][number];

/** The members with their roles, which an owner changes. The first one is the account's own wallet. */
export function MemberTable({ members }: { members: Member[] }) {
  const { t, format } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Member>();
  const onSettled = () => queries.invalidateQueries();
  const change = useMutation({
    mutationFn: ({ wallet, role }: { wallet: string; role: Role }) =>
      api.call("POST /v1/members/{wallet}", { path: { wallet }, body: { role } }),
    onSettled,
  });
  const remove = useMutation({
    mutationFn: ({ wallet }: Member) => api.call("DELETE /v1/members/{wallet}", { path: { wallet } }),
    onSettled,
  });
  const nameOf = ({ name, wallet }: Member) => name ?? short(wallet);
  return (
    <>
      <ErrorNotice error={change.error ?? remove.error} />
      <Table
        columns={[
          { text: t("workspace.name") },
          { text: t("account.wallet") },
          { text: t("members.role") },
          { text: t("members.since") },
          { text: t("keys.lastUse") },
          { text: t("keys.actions") },
        ]}
      >
        {members.map((member, index) => (
          <tr key={member.wallet}>
            <td>{member.name ?? (index === 0 ? t("members.own") : t("none"))}</td>
            <td>
              <code>{short(member.wallet)}</code>
            </td>
            <td>
              {index === 0 ? (
                t(`role.${member.role}`)
              ) : (
                <select
                  className="input"
                  aria-label={t("members.role.of", { name: nameOf(member) })}
                  value={member.role}
                  disabled={change.isPending}
                  onChange={({ target }) =>
                    isRole(target.value) && change.mutate({ wallet: member.wallet, role: target.value })
                  }
                >
                  {roles.map((role) => (
                    <option key={role} value={role}>
                      {t(`role.${role}`)}
                    </option>
                  ))}
                </select>
              )}
            </td>
            <td>{format.time(member.since)}</td>
            <td>{member.lastUsedAt === null ? t("keys.unused") : format.ago(member.lastUsedAt)}</td>
            <td>
              {index === 0 ? null : (
                <Button kind="quiet" disabled={remove.isPending} onClick={() => setAsked(member)}>
                  {t("members.remove")}
                </Button>
              )}
            </td>
          </tr>
        ))}
      </Table>
      <Confirm
        open={asked !== undefined}
        title={t("members.remove.title", { name: asked === undefined ? "" : nameOf(asked) })}
        text={t("members.remove.text")}
        yes={t("members.remove")}
        no={t("cancel")}
        onAnswer={(yes) => {
          if (yes && asked !== undefined) remove.mutate(asked);
          setAsked(undefined);
        }}
      />
    </>
  );
}
