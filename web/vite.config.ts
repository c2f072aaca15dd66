/** Builds the page into `workbench/web`, with names that do not change and without anything from another host. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "fflate";
import { type Plugin, defineConfig } from "vite";

const RUNTIME = "onnxruntime-web/ort-wasm-simd-threaded.wasm";

/**
 * ONNX Runtime's WebAssembly as a gzip file, a quarter as large, which the page unpacks.
 * fflate writes the same bytes with every version of Node, whose own zlib does not.
 */
function packedRuntime(): Plugin {
  return {
    name: "packed-runtime",
    generateBundle(_, bundle) {
      for (const name of Object.keys(bundle)) if (name.endsWith(".wasm")) delete bundle[name];
      const path = createRequire(import.meta.url).resolve(RUNTIME);
      this.emitFile({ type: "asset", fileName: "onnxruntime.wasm.gz", source: gzipSync(readFileSync(path), { level: 9, mtime: 0 }) });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [packedRuntime()],
  build: {
    outDir: process.env.WEB_OUT ?? "../workbench/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { main: "index.html", sw: "src/sw.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
});
