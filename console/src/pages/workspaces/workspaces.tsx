import { Link } from "@tanstack/react-router";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page, Panel, Stats } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { WorkspaceStatus } from "./status.tsx";

export function WorkspacesPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Workspaces />;
}

function Workspaces() {
  const { t, format } = useSettings();
  const list = useRoute("GET /v1/workspaces", { query: { limit: 200 } }, { every: 5_000 });
  const account = useRoute("GET /v1/account", {}, { every: 10_000 });
  const deploy = (
    <Link to="/deploy" className="button primary">
      {t("workspaces.deploy")}
    </Link>
  );
  return (
    <Page title={t("workspaces.title")} lead={t("workspaces.lead")} actions={deploy}>
      <Loaded query={account}>
        {({ refundable, owed, settled }) => (
          <Stats
            figures={[
              { name: t("account.refundable"), value: tokens(refundable), of: "NGPU" },
              { name: t("account.owed"), value: tokens(owed), of: "NGPU" },
              { name: t("account.settled"), value: tokens(settled), of: "NGPU" },
            ]}
          />
        )}
      </Loaded>
      <Panel flush>
        <Loaded query={list}>
          {({ workspaces }) =>
            workspaces.length === 0 ? (
              <Empty>{t("workspaces.none")}</Empty>
            ) : (
              <Table
                columns={[
                  { text: t("workspace.name") },
                  { text: t("workspace.status") },
                  { text: t("workspace.replicas"), number: true },
                  { text: t("workspace.image") },
                ]}
              >
                {workspaces.map(({ id, name, status, replicas, image }) => (
                  <tr key={id}>
                    <td>
                      <Link to="/workspaces/$id" params={{ id }}>
                        {name ?? t("workspace.unnamed", { id })}
                      </Link>
                    </td>
                    <td>
                      <WorkspaceStatus status={status} />
                    </td>
                    <td className="number">
                      {format.count(replicas.running)}
                      <span className="unit"> / {format.count(replicas.wanted)}</span>
                    </td>
                    <td>
                      <code title={image}>{shortImage(image)}</code>
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}

/** `registry/name@sha256:1234abcd…`. */
export const shortImage = (image: string) => image.replace(/(@?sha256:[0-9a-f]{8})[0-9a-f]+$/, "$1…");
