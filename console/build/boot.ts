import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const source = join(import.meta.dirname, "../src/boot.js");
const named = /^assets\/boot-[\w-]+\.js$/;

/** Puts `src/boot.js` before the modules of the page, as a file of its own that needs none of them. */
export function bootScript(): Plugin {
  return {
    name: "ngpu-boot",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "asset", name: "boot.js", source: readFileSync(source, "utf8") });
    },
    transformIndexHtml: {
      order: "post",
      handler: (_html, { bundle = {} }) => {
        const file = Object.keys(bundle).find((name) => named.test(name));
        if (file === undefined) throw new Error("The bundle lacks boot.js.");
        return [{ tag: "script", attrs: { src: `/${file}` }, injectTo: "head-prepend" }];
      },
    },
  };
}
