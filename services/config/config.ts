import { requireBearerToken } from "@ngpu/runtime/bearerToken";
import { createApp, errorHandler, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { readKeyFile } from "@ngpu/update-repository/keys";
import { openOnlineRepository } from "@ngpu/update-repository/online";
import type { ConfigSettings } from "./env.ts";
import { watchRollout } from "./metrics.ts";
import { rolloutRouter } from "./rolloutRouter.ts";

/** Milliseconds between checks for signatures that expire soon and for new offline signatures. */
const refreshInterval = 5_000;

/**
 * Starts config: signs what is new, keeps signatures fresh, and serves the rollout's API.
 *
 * @returns The URL it listens on.
 * @throws FatalError `update_repository_missing`, `update_key_invalid`, `update_key_foreign`, `update_metadata_invalid` or
 * `port_in_use`
 */
export async function startConfig(
  settings: ConfigSettings,
  context: ServiceContext,
): Promise<{ url: string }> {
  const { logger, signal } = context;
  const repository = openOnlineRepository(settings.UPDATE_REPOSITORY, readKeyFile(settings.ONLINE_KEY_FILE));
  repository.refresh(Date.now());
  const registry = createRegistry("config");
  watchRollout(registry, repository);
  const refreshing = startLoop({ name: "refresh", logger, signal, interval: refreshInterval }, async () => {
    if (repository.refresh(Date.now())) logger.info({ event: "updates_signed" });
  });
  context.onStop("refresh", () => refreshing.done);
  const app = createApp({ registry, health: () => healthOf(repository.expiresAt()) });
  app.use((request, _response, next) => {
    requireBearerToken(request.headers.authorization, settings.CONFIG_TOKEN, "CONFIG_TOKEN");
    next();
  });
  app.use(rolloutRouter({ repository, logger, now: Date.now }));
  app.use(errorHandler(logger));
  return listen(app, { host: settings.HOST, port: settings.PORT }, context);
}

/** Clients refuse expired signatures: from then on nobody can update. */
function healthOf(expiresAt: number | undefined) {
  const ok = expiresAt !== undefined && expiresAt > Date.now();
  const expires = expiresAt === undefined ? null : new Date(expiresAt).toISOString();
  return { ok, details: { signaturesExpire: expires } };
}
