import { access, constants } from "node:fs/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { createApp, errorHandler, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import type { RegistrySettings } from "./env.ts";
import { registryRouter } from "./router.ts";

/**
 * Starts the registry, which serves the image store as a read-only OCI registry.
 *
 * @returns The URL it listens on.
 * @throws FatalError `image_store_unreadable` or `port_in_use`
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
  app.use(registryRouter({ storeDir: settings.IMAGE_STORE, logger }));
  app.use(errorHandler(logger));
  return listen(app, { host: settings.HOST, port: settings.PORT }, context);
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
