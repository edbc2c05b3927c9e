import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildAll } from "@ngpu/image-store/build";
import { chunkRoot } from "@ngpu/image-store/chunks";
import { FatalError } from "@ngpu/runtime/errors";
import type { MarketImages } from "./market.ts";

/** Builds the market's own images into the store that the registry serves. It downloads nothing. */
export async function buildImages(options: {
  rootDir: string;
  stateDir: string;
  registry: string;
  signal: AbortSignal;
  progress: (detail: string) => void;
}): Promise<MarketImages> {
  const storeDir = join(options.stateDir, "images");
  const built = await buildAll({
    repoRoot: options.rootDir,
    storeDir,
    signal: options.signal,
    onProgress: (progress) => options.progress(progress.step === "image" ? progress.reference : "layers"),
  });
  const imageOf = async (name: string) => {
    const image = built.find((candidate) => candidate.reference === name);
    if (image === undefined)
      throw new FatalError(`The image ${name} was not built.`, {
        code: "image_not_built",
        hint: "Check that its folder in images/ has an image.json, then start again.",
      });
    return {
      reference: `${options.registry}/${image.repository}`,
      digest: image.digest,
      sizeBytes: image.sizeBytes,
      chunkRoot: (await chunkRoot({ storeDir, digest: image.digest })).root,
    };
  };
  const images = { chat: await imageOf("chat"), probe: await imageOf("probe") };
  const { reference, digest } = images.chat;
  // The commands of partner-docs read it.
  writeFileSync(join(options.stateDir, "chat-image"), `${reference}@${digest}\n`);
  writeFileSync(join(options.stateDir, "templates.json"), templatesOf(`${reference}@${digest}`));
  return images;
}

/** The gallery of a market on one machine: what its own images do. */
function templatesOf(image: string): string {
  const workspace = {
    image,
    ports: [8080],
    health: "/healthz",
    cpu: 0.5,
    memoryMib: 512,
    diskGib: 1,
    maxPricePerSecond: "10000000000000",
  };
  const chat = {
    name: "chat",
    title: "A small chat model",
    description: "Chats and embeds by OpenAI's routes, on a CPU.",
    workspace: { ...workspace, name: "chat" },
  };
  return `${JSON.stringify({ templates: [chat] }, undefined, 2)}\n`;
}
