import { access, constants, mkdir } from "node:fs/promises";
import { openPool } from "@ngpu/db/open";
import { FatalError } from "@ngpu/runtime/errors";
import { createApp, createHttpServer, errorHandler, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import type { Router } from "express";
import type { RegistrySettings } from "./env.ts";
import { collect } from "./push/collect.ts";
import { pushRouter } from "./push/router.ts";
import { registryRouter } from "./router.ts";

const gib = 2 ** 30;

/**
 * Starts the registry: it serves the market's image store, and stores what accounts push.
 *
 * @returns The URL it listens on.
 * @throws FatalError `image_store_unreadable`, `push_store_incomplete` or `port_in_use`
 */
export async function startRegistry(
  settings: RegistrySettings,
  context: ServiceContext,
): Promise<{ url: string }> {
  const { logger } = context;
  await requireStore(settings.IMAGE_STORE);
  const app = createApp({
    registry: createRegistry("registry"),
    health: async () => ({ ok: await isReadable(settings.IMAGE_STORE) }),
  });
  // Behind a proxy that ends TLS.
  app.set("trust proxy", "loopback, linklocal, uniquelocal");
  const pushes = await openPushes(settings, context);
  if (pushes !== undefined) app.use(pushes);
  app.use(registryRouter({ storeDir: settings.IMAGE_STORE, logger }));
  app.use(errorHandler(logger));
  // A layer may take hours; each byte has a deadline.
  const server = createHttpServer(app, { requestTimeout: 0 });
  return listen(server, { host: settings.HOST, port: settings.PORT }, context);
}

/** @throws FatalError `push_store_incomplete` */
async function openPushes(settings: RegistrySettings, context: ServiceContext): Promise<Router | undefined> {
  const { PUSH_STORE: storeDir, DATABASE_URL: url } = settings;
  if (storeDir === undefined) return undefined;
  if (url === undefined) {
    throw new FatalError("PUSH_STORE is set, and DATABASE_URL is not.", {
      code: "push_store_incomplete",
      hint: "Set DATABASE_URL with the role ngpu_registry, or unset PUSH_STORE for a registry that is read-only.",
    });
  }
  await mkdir(storeDir, { recursive: true });
  const { logger, signal } = context;
  const db = await openPool(context, { url, name: "registry" });
  const keepSeconds = settings.PUSH_KEEP_HOURS * 3_600;
  const interval = settings.PUSH_COLLECT_SECONDS * 1_000;
  const loop = startLoop({ name: "registry garbage", logger, signal, interval }, async () => {
    const collected = await collect({ db, storeDir }, keepSeconds);
    if (Object.values(collected).some((count) => count > 0))
      logger.info({ event: "registry_collected", ...collected });
  });
  context.onStop("registry garbage", () => loop.done);
  return pushRouter({
    db,
    storeDir,
    logger,
    publicUrl: settings.PUBLIC_URL,
    quotaBytes: settings.PUSH_QUOTA_GIB * gib,
    reserveBytes: settings.PUSH_RESERVE_GIB * gib,
  });
}

async function requireStore(folder: string): Promise<void> {
  if (await isReadable(folder)) return;
  throw new FatalError(`The image store ${folder} cannot be read.`, {
    code: "image_store_unreadable",
    hint: "Set IMAGE_STORE to the directory that the images were built into.",
  });
}

function isReadable(folder: string): Promise<boolean> {
  return access(folder, constants.R_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
