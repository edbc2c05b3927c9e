import { defineConfig } from "vite";
import { bootScript } from "./build/boot.ts";
import { manualPages } from "./build/manual.ts";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [manualPages(), bootScript()],
  // The same sources give the same files, in whatever directory and by whomever they are built.
  build: {
    outDir: "built",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
    // The directives of the packages are for servers that render React; this is a browser.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  // `vite` serves the sources while they change; the API is that of a running market.
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/docs", "/openapi.json"].map((path) => [path, "http://127.0.0.1:8080"]),
    ),
  },
});
