import type { Schema } from "@ngpu/api-client/client";
import { Link, useParams } from "@tanstack/react-router";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Loaded, Notice } from "../../ui/notices.tsx";
import { Code, Facts, Page, Panel } from "../../ui/page.tsx";
import { VerifyPanel } from "../../verify/panel.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { TaskStatus } from "./status.tsx";

type Task = Schema<"Task">;
/** Characters of a result that are shown; the rest is in the download of the API. */
const shownResult = 20_000;

export function TaskPage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Shown />;
}

function Shown() {
  const { id } = useParams({ from: "/tasks/$id" });
  const { t } = useSettings();
  const query = useRoute(
    "GET /v1/tasks/{id}",
    { path: { id } },
    { every: (task) => (task?.hasReceipt === true ? false : 5_000) },
  );
  return (
    <Page title={t("tasks.one")} lead={<code>{id}</code>}>
      <Loaded query={query}>
        {(task) => (
          <>
            {task.error === null ? null : (
              <div lang="en">
                <Notice tone="bad" title={task.error.message}>
                  {task.error.hint} <code>{task.error.code}</code>
                </Notice>
              </div>
            )}
            <div className="columns">
              <Panel title={t("tasks.about")}>
                <About task={task} />
              </Panel>
              <Panel title={t("tasks.result")}>
                <Code>{(JSON.stringify(task.result, null, 2) ?? "null").slice(0, shownResult)}</Code>
              </Panel>
            </div>
            <Panel title={t("receipt.title")} note={t("receipt.note")}>
              <Receipt task={task} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function About({ task }: { task: Task }) {
  const { t, format } = useSettings();
  const { workspaceId, nodeId, ms, httpStatus, createdAt, finishedAt } = task;
  return (
    <Facts
      facts={[
        [t("workspace.status"), <TaskStatus key="status" status={task.status} />],
        [
          t("placement.workspace"),
          <Link key="workspace" to="/workspaces/$id" params={{ id: workspaceId }}>
            {workspaceId}
          </Link>,
        ],
        [t("replica.node"), nodeId === null ? null : <NodeLink key="node" id={nodeId} />],
        [t("tasks.duration"), ms === null ? null : `${format.count(ms)} ms`],
        [t("tasks.http"), httpStatus],
        [t("tasks.begun"), format.time(createdAt)],
        [t("tasks.ended"), finishedAt === null ? null : format.time(finishedAt)],
      ]}
    />
  );
}

/** What the task cost, and the proof that it is in a root on the chain. */
function Receipt({ task }: { task: Task }) {
  const { t } = useSettings();
  const query = useRoute(
    "GET /v1/tasks/{id}/receipt",
    { path: { id: task.id } },
    { enabled: task.hasReceipt },
  );
  if (!task.hasReceipt) return <p className="muted">{t("receipt.pending")}</p>;
  return <Loaded query={query}>{(receipt) => <Issued task={task} data={receipt} />}</Loaded>;
}

function Issued({ task, data }: { task: Task; data: Schema<"TaskReceipt"> }) {
  const { t } = useSettings();
  return (
    <div className="stack">
      <Facts
        facts={[
          [t("receipt.amount"), `${tokens(data.receipt.amount, 6)} NGPU`],
          [t("receipt.batch"), data.batch],
          [t("receipt.root"), <code key="root">{data.root}</code>],
          [t("workspace.transaction"), <code key="tx">{data.txHash}</code>],
        ]}
      />
      <VerifyPanel
        subject="receipt"
        verify={async (of) => (await import("../../verify/receipt.ts")).verifyReceipt(data, task, of)}
      />
    </div>
  );
}
