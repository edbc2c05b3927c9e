import { Tabs } from "@base-ui/react/tabs";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { perHour } from "../../format.ts";
import { Loaded, Notice } from "../../ui/notices.tsx";
import { Page, Panel, Stats } from "../../ui/page.tsx";
import { SignInPage } from "../account/signIn.tsx";
import { Orders } from "./orders.tsx";
import { type Part, parts } from "./parts.ts";
import { Replicas } from "./replicas.tsx";
import { WorkspaceStatus } from "./status.tsx";
import type { Workspace } from "./types.ts";

const Events = lazy(async () => ({ default: (await import("./events.tsx")).Events }));
const Logs = lazy(async () => ({ default: (await import("./logs.tsx")).Logs }));
const Terminal = lazy(async () => ({ default: (await import("./terminal.tsx")).Terminal }));
const Use = lazy(async () => ({ default: (await import("./stats.tsx")).Use }));
const Chat = lazy(async () => ({ default: (await import("./chat.tsx")).Chat }));
const Configuration = lazy(async () => ({ default: (await import("./configuration.tsx")).Configuration }));
const Cost = lazy(async () => ({ default: (await import("./cost.tsx")).Cost }));

export function WorkspacePage() {
  const { apiKey } = useSession();
  return apiKey === undefined ? <SignInPage /> : <Shown />;
}

function Shown() {
  const { id } = useParams({ from: "/workspaces/$id" });
  const { t } = useSettings();
  const query = useRoute("GET /v1/workspaces/{id}", { path: { id } }, { every: 3_000 });
  const title = query.data?.name ?? t("workspace.unnamed", { id });
  return (
    <Page
      title={title}
      lead={t("workspace.lead", { id })}
      actions={query.data === undefined ? undefined : <Orders workspace={query.data} />}
    >
      <Loaded query={query}>
        {(workspace) => (
          <>
            <Why workspace={workspace} />
            <Figures workspace={workspace} />
            <Parts workspace={workspace} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

/** Why it does not run, before anything else. */
function Why({ workspace: { reason } }: { workspace: Workspace }) {
  if (reason === null) return null;
  return (
    <div lang="en">
      <Notice tone="warn" title={reason.message}>
        {reason.hint} <code>{reason.code}</code>
      </Notice>
    </div>
  );
}

function Figures({ workspace }: { workspace: Workspace }) {
  const { t, format } = useSettings();
  const { status, replicas, replicaList, maxPricePerSecond } = workspace;
  const rate = replicaList
    .filter(({ state, releaseReason }) => state === "running" && releaseReason === null)
    .reduce((sum, { pricePerSecond }) => sum + BigInt(pricePerSecond ?? 0), 0n);
  return (
    <Stats
      figures={[
        { name: t("workspace.status"), value: <WorkspaceStatus status={status} /> },
        {
          name: t("workspace.running"),
          value: format.count(replicas.running),
          of: t("market.of", { total: format.count(replicas.wanted) }),
        },
        { name: t("workspace.rate"), value: perHour(rate), of: t("price.hour") },
        { name: t("workspace.highest"), value: perHour(maxPricePerSecond), of: t("price.hour") },
      ]}
    />
  );
}

function Parts({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  const navigate = useNavigate({ from: "/workspaces/$id" });
  const { part: shown = "replicas" } = useSearch({ from: "/workspaces/$id" });
  const { id } = workspace;
  const contents: Record<Part, ReactNode> = {
    replicas: <Replicas workspace={workspace} />,
    events: <Events id={id} />,
    logs: <Logs workspace={workspace} />,
    terminal: <Terminal workspace={workspace} />,
    use: <Use workspace={workspace} />,
    chat: <Chat id={id} />,
    configuration: <Configuration workspace={workspace} />,
    cost: <Cost id={id} />,
  };
  return (
    <Tabs.Root
      value={shown}
      className="stack"
      onValueChange={(part: Part) => navigate({ search: { part }, replace: true, resetScroll: false })}
    >
      <Tabs.List className="tabs" aria-label={t("workspace.parts")}>
        {parts.map((name) => (
          <Tabs.Tab key={name} value={name}>
            {t(`workspace.part.${name}`)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {parts.map((name) => (
        // A command goes on while another tab is shown.
        <Tabs.Panel key={name} value={name} keepMounted={name === "terminal"}>
          <Suspense fallback={<p className="empty">{t("loading")}</p>}>
            {name === "configuration" ? (
              contents[name]
            ) : (
              <Panel flush={name === "replicas"}>{contents[name]}</Panel>
            )}
          </Suspense>
        </Tabs.Panel>
      ))}
    </Tabs.Root>
  );
}
