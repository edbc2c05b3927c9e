import { Link } from "@tanstack/react-router";
import { usePages } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { LongTable } from "../../ui/longTable.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { TaskStatus } from "./status.tsx";

export function TasksPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Tasks />;
}

/** The tasks of all workspaces, newest first. */
function Tasks() {
  const { t, format } = useSettings();
  const pages = usePages("GET /v1/tasks", { query: { limit: 100 } }, { every: 5_000 });
  const list = pages.data?.pages.flatMap(({ tasks }) => tasks);
  return (
    <Page title={t("tasks.title")} lead={t("tasks.lead")}>
      <Panel flush>
        <Loaded query={{ data: list, error: pages.error }}>
          {(tasks) =>
            tasks.length === 0 ? (
              <Empty>{t("tasks.none")}</Empty>
            ) : (
              <LongTable
                label={t("tasks.title")}
                columns={[
                  { text: t("cost.time") },
                  { text: t("workspace.status") },
                  { text: t("placement.workspace") },
                  { text: t("replica.node") },
                  { text: t("tasks.duration"), number: true },
                  { text: t("tasks.http"), number: true },
                ]}
                rows={tasks}
                keyOf={({ id }) => id}
                pages={pages}
                cells={(task) => [
                  <Link key="time" to="/tasks/$id" params={{ id: task.id }}>
                    {format.time(task.createdAt)}
                  </Link>,
                  <TaskStatus key="status" status={task.status} />,
                  <Link key="workspace" to="/workspaces/$id" params={{ id: task.workspaceId }}>
                    {task.workspaceId}
                  </Link>,
                  task.nodeId === null ? t("none") : <NodeLink key="node" id={task.nodeId} />,
                  task.ms === null ? t("none") : `${format.count(task.ms)} ms`,
                  task.httpStatus ?? t("none"),
                ]}
              />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
