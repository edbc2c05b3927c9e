import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { short } from "../../format.ts";
import { Button } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { Panel } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";

/** Invitations that can still be accepted; nothing when there is none. */
export function Invitations() {
  const { t, format } = useSettings();
  const { api } = useSession();
  const queries = useQueryClient();
  const { data, error } = useRoute("GET /v1/members/invitations", {}, { every: 15_000 });
  const revoke = useMutation({
    mutationFn: (id: string) => api.call("DELETE /v1/members/invitations/{id}", { path: { id } }),
    onSettled: () => queries.invalidateQueries(),
  });
  if (error !== null) return <ErrorNotice error={error} />;
  if (data === undefined || data.invitations.length === 0) return null;
  return (
    <Panel title={t("members.invitations")} flush>
      <ErrorNotice error={revoke.error} />
      <Table
        columns={[
          { text: t("workspace.name") },
          { text: t("members.role") },
          { text: t("account.wallet") },
          { text: t("keys.expires") },
          { text: t("keys.actions") },
        ]}
      >
        {data.invitations.map(({ id, name, role, wallet, expiresAt }) => (
          <tr key={id}>
            <td>{name ?? t("none")}</td>
            <td>{t(`role.${role}`)}</td>
            <td>{wallet === null ? t("members.wallet.any") : <code>{short(wallet)}</code>}</td>
            <td>{format.time(expiresAt)}</td>
            <td>
              <Button kind="quiet" disabled={revoke.isPending} onClick={() => revoke.mutate(id)}>
                {t("keys.revoke")}
              </Button>
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}
