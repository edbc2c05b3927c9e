import { createHash } from "node:crypto";
import { createPublicApp } from "@ngpu/runtime/http";
import type { Express } from "express";
import { identify } from "./access.ts";
import { auditOf } from "./audit.ts";
import { createBodyBudget } from "./bodyBudget.ts";
import type { CallLog } from "./calls.ts";
import { clientReleases } from "./clientReleases.ts";
import { consolePages } from "./consolePages.ts";
import { cors } from "./cors.ts";
import type { ApiDeps } from "./deps.ts";
import { docsRouter } from "./docsPage.ts";
import type { Endpoint } from "./endpoint.ts";
import { createHotFacts } from "./hotFacts.ts";
import type { CallLimits } from "./limits.ts";
import { llmsText } from "./llmsText.ts";
import { requireHost } from "./malformedRequests.ts";
import { openAiErrorHandler } from "./openAiErrors.ts";
import { openApiDocument } from "./openapi.ts";
import { problemHandler } from "./problem.ts";
import { accountRoutes } from "./routes/account.ts";
import { auditRoutes } from "./routes/audit.ts";
import { authRoutes } from "./routes/auth.ts";
import { authorizationRoutes } from "./routes/authorizations.ts";
import { batchRoutes } from "./routes/batches.ts";
import { chatRoutes } from "./routes/chat.ts";
import { depositRoutes } from "./routes/deposits.ts";
import { eventRoutes } from "./routes/events.ts";
import { execRoutes } from "./routes/exec.ts";
import { faucetRoutes } from "./routes/faucet.ts";
import { fileRoutes } from "./routes/files.ts";
import { imageRoutes } from "./routes/images.ts";
import { invoiceRoutes } from "./routes/invoices.ts";
import { keyRoutes } from "./routes/keys.ts";
import { logRoutes } from "./routes/logs.ts";
import { marketRoutes } from "./routes/market.ts";
import { marketSummaryRoutes } from "./routes/marketSummary.ts";
import { matchRoutes } from "./routes/match.ts";
import { memberRoutes } from "./routes/members.ts";
import { modelRoutes } from "./routes/models.ts";
import { nodeHistoryRoutes } from "./routes/nodeHistory.ts";
import { nodeProofRoutes } from "./routes/nodeProof.ts";
import { orderRoutes } from "./routes/orders.ts";
import { placementRoutes } from "./routes/placements.ts";
import { publishRoutes } from "./routes/publish.ts";
import { rewardRoutes } from "./routes/rewards.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { statementRoutes } from "./routes/statement.ts";
import { statsRoutes } from "./routes/stats.ts";
import { receiptRoutes } from "./routes/taskReceipts.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { templateRoutes } from "./routes/templates.ts";
import { updateRoutes } from "./routes/update.ts";
import { usageRoutes } from "./routes/usage.ts";
import { webhookEventRoutes } from "./routes/webhookEvents.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { workspaceRoutes } from "./routes/workspaces.ts";
import { onlyReads, serveEndpoints, serveTasks } from "./serveEndpoints.ts";

/** Every endpoint, in the order of the documentation. */
export function endpointsOf(deps: ApiDeps): Endpoint[] {
  return [
    ...authRoutes(deps),
    ...keyRoutes(deps),
    ...memberRoutes(deps),
    ...auditRoutes(deps),
    ...accountRoutes(deps),
    ...statementRoutes(deps),
    ...invoiceRoutes(deps),
    ...usageRoutes(deps),
    ...authorizationRoutes(deps),
    ...depositRoutes(deps),
    ...faucetRoutes(deps),
    ...imageRoutes(deps),
    ...secretRoutes(deps),
    ...publishRoutes(deps),
    ...templateRoutes(deps),
    ...workspaceRoutes(deps),
    ...eventRoutes(deps),
    ...logRoutes(deps),
    ...statsRoutes(deps),
    ...execRoutes(deps),
    ...orderRoutes(deps),
    ...updateRoutes(deps),
    ...taskRoutes(deps),
    ...receiptRoutes(deps),
    ...chatRoutes(deps),
    ...modelRoutes(deps),
    ...fileRoutes(deps),
    ...batchRoutes(deps),
    ...webhookRoutes(deps),
    ...webhookEventRoutes(deps),
    ...marketSummaryRoutes(deps),
    ...marketRoutes(deps),
    ...nodeHistoryRoutes(deps),
    ...nodeProofRoutes(deps),
    ...matchRoutes(deps),
    ...placementRoutes(deps),
    ...rewardRoutes(deps),
  ];
}

const installPaths = ["/install_mcNode.sh", "/install_measure.sh", "/client"];
const readOnlyPaths = ["/healthz", "/openapi.json", "/llms.txt", "/docs", ...installPaths];

/** Milliseconds for which an answer of the database's health serves all who ask. */
const healthAge = 250;

/** Asks once for all who ask at the same time, and for a moment after. */
function shared(ask: () => Promise<boolean>): () => Promise<boolean> {
  let asked: { at: number; answer: Promise<boolean> } | undefined;
  return () => {
    const now = performance.now();
    if (asked === undefined || now - asked.at > healthAge) asked = { at: now, answer: ask() };
    return asked.answer;
  };
}

/** The API's express app. */
export function createApiApp(
  given: Omit<ApiDeps, "hot">,
  parts: {
    /** Whether the database answers. */
    isHealthy: () => Promise<boolean>;
    calls: CallLog;
    limits: CallLimits;
    /** Addresses and subnets of proxies whose `x-forwarded-for` names the caller. */
    proxies: readonly string[];
    /** Directory with the node client's releases; undefined: none are served. */
    releases: string | undefined;
    /** Directory with the built console; undefined: none is served. */
    console: string | undefined;
  },
): Express {
  const deps = { ...given, hot: createHotFacts(given.db, given.changes) };
  const app = createPublicApp();
  // Otherwise anyone could name an address.
  if (parts.proxies.length > 0) app.set("trust proxy", [...parts.proxies]);
  app.use(requireHost);
  app.use(["/v1", "/openapi.json", "/llms.txt"], cors);
  const endpoints = endpointsOf(deps);
  const identified = [parts.calls.record, identify(deps.db, deps.hot.keys)];
  const audit = (action: string) => auditOf(deps.db, deps.logger, action);
  const bounds = { limits: parts.limits, budget: createBodyBudget(), audit };
  serveTasks(app, endpoints, { ...bounds, before: identified });
  app.use(readOnlyPaths, onlyReads);
  // For load balancers; the details are on the internal port.
  const isHealthy = shared(parts.isHealthy);
  app.get("/healthz", async (_request, response) => {
    const ok = await isHealthy();
    response.status(ok ? 200 : 503).json({ ok });
  });
  // Written once: it is large, and anyone may ask for it.
  const document = Buffer.from(JSON.stringify(openApiDocument(endpoints, deps.publicUrl)));
  const tag = `"${createHash("sha256").update(document).digest("hex").slice(0, 32)}"`;
  app.get("/openapi.json", (_request, response) => {
    response.set("etag", tag).type("json").send(document);
  });
  const text = llmsText(endpoints, deps.publicUrl);
  app.get("/llms.txt", (_request, response) => {
    response.type("text/plain").send(text);
  });
  app.use("/docs", docsRouter());
  app.use(installPaths, parts.limits.general);
  app.use(clientReleases(parts.releases));
  if (parts.console !== undefined) app.use(consolePages(parts.console, deps.network.rpcUrls));
  app.use("/v1", ...identified);
  serveEndpoints(app, endpoints, bounds);
  app.use(openAiErrorHandler(deps.logger));
  app.use(problemHandler(deps.logger));
  return app;
}
