/** ONNX Runtime Web, on one thread: several need headers that a plain web space does not send. */

import * as ort from "onnxruntime-web/wasm";
import { VisitorError } from "./elements";
import { fetched } from "./manifest";

export type Session = ort.InferenceSession;
export const Tensor = ort.Tensor;

const WASM = "onnxruntime.wasm.gz";
const NO_WASM =
  "This browser has no WebAssembly with SIMD, which the networks need: open the page in a current Chrome, Edge, " +
  "Firefox or Safari.";
const NO_GZIP = "This browser is too old to unpack the networks: open the page in a current one.";

let ready: Promise<void> | null = null;

/** Open a network; the runtime is loaded with the first one. */
export async function openSession(path: string): Promise<Session> {
  ready ??= prepare();
  await ready;
  const data = new Uint8Array(await (await fetched(path)).arrayBuffer());
  return ort.InferenceSession.create(data, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
}

async function prepare(): Promise<void> {
  if (!hasSimd()) throw new VisitorError(NO_WASM);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpacked(await (await fetched(WASM)).arrayBuffer());
  ort.env.logLevel = "error";
}

/** The content of a gzip file, also where the server or browser has unpacked it already. */
async function unpacked(data: ArrayBuffer): Promise<ArrayBuffer> {
  const [first, second] = new Uint8Array(data, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return data;
  if (typeof DecompressionStream === "undefined") throw new VisitorError(NO_GZIP);
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Whether WebAssembly runs here, with its vector instructions (a module of one such instruction). */
function hasSimd(): boolean {
  const module = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11,
  ];
  try {
    return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(module));
  } catch {
    return false;
  }
}
