import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  useRouter,
} from "@tanstack/react-router";
import { isPart, type Part } from "../pages/workspaces/parts.ts";
import { ErrorNotice } from "../ui/notices.tsx";
import { Page } from "../ui/page.tsx";
import { useText } from "./settings.tsx";
import { Shell } from "./shell.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const parent = () => root;

const market = createRoute({
  getParentRoute: parent,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/market/market.tsx"), "MarketPage"),
});
const nodes = createRoute({
  getParentRoute: parent,
  path: "/nodes",
  component: lazyRouteComponent(() => import("../pages/nodes/nodes.tsx"), "NodesPage"),
});
const node = createRoute({
  getParentRoute: parent,
  path: "/nodes/$id",
  component: lazyRouteComponent(() => import("../pages/nodes/node.tsx"), "NodePage"),
});

const placements = createRoute({
  getParentRoute: parent,
  path: "/placements",
  component: lazyRouteComponent(() => import("../pages/placements/placements.tsx"), "PlacementsPage"),
});
const placement = createRoute({
  getParentRoute: parent,
  path: "/placements/$id",
  component: lazyRouteComponent(() => import("../pages/placements/placement.tsx"), "PlacementPage"),
});
const signIn = createRoute({
  getParentRoute: parent,
  path: "/sign-in",
  component: lazyRouteComponent(() => import("../pages/account/signIn.tsx"), "SignInPage"),
});
const workspaces = createRoute({
  getParentRoute: parent,
  path: "/workspaces",
  component: lazyRouteComponent(() => import("../pages/workspaces/workspaces.tsx"), "WorkspacesPage"),
});
const workspace = createRoute({
  getParentRoute: parent,
  path: "/workspaces/$id",
  validateSearch: ({ part }: Record<string, unknown>): { part?: Part } => (isPart(part) ? { part } : {}),
  component: lazyRouteComponent(() => import("../pages/workspaces/workspace.tsx"), "WorkspacePage"),
});
const deploy = createRoute({
  getParentRoute: parent,
  path: "/deploy",
  component: lazyRouteComponent(() => import("../pages/deploy/deploy.tsx"), "DeployPage"),
});
const account = createRoute({
  getParentRoute: parent,
  path: "/account",
  component: lazyRouteComponent(() => import("../pages/account/account.tsx"), "AccountPage"),
});
const wallet = createRoute({
  getParentRoute: parent,
  path: "/wallet",
  validateSearch: ({ account }: Record<string, unknown>): { account?: string } =>
    isAddress(account) ? { account } : {},
  component: lazyRouteComponent(() => import("../pages/wallet/wallet.tsx"), "WalletPage"),
});

const isAddress = (text: unknown): text is string =>
  typeof text === "string" && /^0x[0-9a-fA-F]{40}$/.test(text);

const keys = createRoute({
  getParentRoute: parent,
  path: "/keys",
  component: lazyRouteComponent(() => import("../pages/keys/keys.tsx"), "KeysPage"),
});
const members = createRoute({
  getParentRoute: parent,
  path: "/members",
  component: lazyRouteComponent(() => import("../pages/members/members.tsx"), "MembersPage"),
});
const secrets = createRoute({
  getParentRoute: parent,
  path: "/secrets",
  component: lazyRouteComponent(() => import("../pages/secrets/secrets.tsx"), "SecretsPage"),
});
const usage = createRoute({
  getParentRoute: parent,
  path: "/usage",
  component: lazyRouteComponent(() => import("../pages/usage/usage.tsx"), "UsagePage"),
});
const webhooks = createRoute({
  getParentRoute: parent,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("../pages/webhooks/webhooks.tsx"), "WebhooksPage"),
});
const webhook = createRoute({
  getParentRoute: parent,
  path: "/webhooks/$id",
  component: lazyRouteComponent(() => import("../pages/webhooks/webhook.tsx"), "WebhookPage"),
});
const tasks = createRoute({
  getParentRoute: parent,
  path: "/tasks",
  component: lazyRouteComponent(() => import("../pages/tasks/tasks.tsx"), "TasksPage"),
});
const task = createRoute({
  getParentRoute: parent,
  path: "/tasks/$id",
  component: lazyRouteComponent(() => import("../pages/tasks/task.tsx"), "TaskPage"),
});
const operator = createRoute({
  getParentRoute: parent,
  path: "/operator",
  validateSearch: ({ wallet: named }: Record<string, unknown>): { wallet?: string } =>
    isAddress(named) ? { wallet: named } : {},
  component: lazyRouteComponent(() => import("../pages/operator/operator.tsx"), "OperatorPage"),
});
const manual = createRoute({
  getParentRoute: parent,
  path: "/manual",
  validateSearch: ({ q }: Record<string, unknown>): { q?: string } =>
    typeof q === "string" || typeof q === "number" ? { q: String(q) } : {},
  component: lazyRouteComponent(() => import("../pages/manual/index.tsx"), "ManualPage"),
});
const chapter = createRoute({
  getParentRoute: parent,
  path: "/manual/$chapter",
  component: lazyRouteComponent(() => import("../pages/manual/chapter.tsx"), "ChapterPage"),
});

const routes = root.addChildren([
  market,
  nodes,
  node,
  placements,
  placement,
  signIn,
  workspaces,
  workspace,
  deploy,
  account,
  wallet,
  usage,
  keys,
  members,
  secrets,
  webhooks,
  webhook,
  tasks,
  task,
  operator,
  manual,
  chapter,
]);

export function createAppRouter() {
  return createRouter({
    routeTree: routes,
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultErrorComponent: PageError,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}

function NotFound() {
  const t = useText();
  return (
    <Page title={t("notFound.title")} lead={t("notFound.lead")}>
      {null}
    </Page>
  );
}

/** A page that failed. Its chunk may belong to a release that the server no longer has: loading again fetches the new one. */
function PageError({ error }: { error: unknown }) {
  const t = useText();
  const router = useRouter();
  return (
    <Page title={t("error.title")}>
      <ErrorNotice error={error} />
      <div className="row">
        <button type="button" className="button" onClick={() => router.invalidate()}>
          {t("error.again")}
        </button>
        <button type="button" className="button" onClick={() => location.reload()}>
          {t("error.reload")}
        </button>
      </div>
    </Page>
  );
}
