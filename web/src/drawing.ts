/** Canvases: gray faces, maps over them, color bars, photographs with boxes. */

import { type Box, corners } from "./boxes";
import { element } from "./elements";
import type { Image } from "./image";

const OPACITY = 0.7;
const BOX = "#D6336C";

let colors = new Uint8Array(768);

/** Set the 256 colors of maps, as hexadecimal digits. */
export function setColors(hex: string): void {
  colors = Uint8Array.from({ length: 768 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function color(value: number): [number, number, number] {
  const at = 3 * Math.min(255, Math.floor(value * 256));
  return [colors[at], colors[at + 1], colors[at + 2]];
}

/** Canvases that left the page: browsers free their memory late, and a camera would draw hundreds of them a second. */
const spare: HTMLCanvasElement[] = [];

/** Keep the canvases of a result that another one has replaced. */
export function recycle(elements: Iterable<Element>): void {
  for (const one of elements) spare.push(...one.querySelectorAll<HTMLCanvasElement>("canvas"));
  spare.splice(64);
}

function canvasOf(width: number, height: number, className: string, alt: string): HTMLCanvasElement {
  const canvas = spare.pop() ?? element("canvas");
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.className = className;
  canvas.setAttribute("role", alt ? "img" : "presentation");
  if (alt) canvas.setAttribute("aria-label", alt);
  else canvas.removeAttribute("aria-label");
  return canvas;
}

/** The canvas of a square image, each value one pixel, drawn large by the style sheet; without `alt` only decoration. */
export const pixelCanvas = (side: number, alt: string): HTMLCanvasElement => canvasOf(side, side, "pixels", alt);

/** A gray image in 0..1. */
export function drawGray(canvas: HTMLCanvasElement, pixels: Float32Array): void {
  drawOver(canvas, pixels, null, 0);
}

/**
 * A map over a gray face, as `workbench/analysis/overlay.py`: zero is clear, strong is bright.
 * @param top the value that gets the brightest color.
 */
export function drawOver(canvas: HTMLCanvasElement, pixels: Float32Array, heat: Float32Array | null, top: number): void {
  const side = canvas.width;
  const data = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const gray = Math.min(1, Math.max(0, pixels[i])) * 255;
    const strength = heat && top > 0 ? Math.min(1, Math.max(0, heat[i] / top)) : 0;
    const alpha = OPACITY * strength ** 0.7;
    const [r, g, b] = color(0.25 + 0.75 * strength);
    data.data[4 * i] = Math.round((1 - alpha) * gray + alpha * r);
    data.data[4 * i + 1] = Math.round((1 - alpha) * gray + alpha * g);
    data.data[4 * i + 2] = Math.round((1 - alpha) * gray + alpha * b);
    data.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d")!.putImageData(data, 0, 0);
}

/** The colors from 0 to `top` with both numbers. */
export function colorBar(top: number, unit: string): HTMLElement {
  const canvas = canvasOf(64, 1, "", "");
  const context = canvas.getContext("2d")!;
  for (let x = 0; x < 64; x++) {
    context.fillStyle = `rgb(${color(0.25 + (0.75 * x) / 63).join(" ")})`;
    context.fillRect(x, 0, 1, 1);
  }
  return element("div", { className: "scale" }, "0", canvas, `${top.toPrecision(2)} ${unit}`);
}

/** A photograph with a box around each face, the chosen one thicker. */
export function drawPicture(
  canvas: HTMLCanvasElement, source: CanvasImageSource, width: number, height: number, boxes: Box[], chosen: number,
): void {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  context.drawImage(source, 0, 0, width, height);
  boxes.forEach((box, i) => outline(context, box, (i === chosen ? 6 : 2) * Math.max(1, width / 640)));
}

export function outline(context: CanvasRenderingContext2D, box: Box, width: number): void {
  context.strokeStyle = BOX;
  context.lineWidth = width;
  context.beginPath();
  corners(box).forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.stroke();
}

/** An image as a canvas of its own size. */
export function asCanvas(image: Image): HTMLCanvasElement {
  const canvas = element("canvas", { width: image.width, height: image.height });
  const data = new ImageData(image.width, image.height);
  for (let i = 0, j = 0; j < image.data.length; i += 4, j += 3) {
    data.data.set([image.data[j], image.data[j + 1], image.data[j + 2], 255], i);
  }
  canvas.getContext("2d")!.putImageData(data, 0, 0);
  return canvas;
}
