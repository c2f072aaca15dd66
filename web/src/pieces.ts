/** Pieces that several tabs show: a face, a map over it, the bars of a prediction. */

import { colorBar, drawGray, drawOver, pixelCanvas } from "./drawing";
import { element, figure, percent, strong } from "./elements";
import { largest, resizeGrid } from "./network";
import type { NetworkEntry } from "./manifest";
import type { Explained } from "./state";

/** A gray image, drawn large, with sentences. */
export function gray(pixels: Float32Array, alt: string, ...sentences: (Node | string)[]): HTMLElement {
  const canvas = pixelCanvas(Math.sqrt(pixels.length), alt);
  drawGray(canvas, pixels);
  return figure(canvas, ...sentences);
}

/** The maps of all classes at the size of the image, and the largest value of all, their common scale. */
export function mapsOf({ network, prediction }: Explained): { maps: Float32Array[]; top: number } {
  const maps = prediction.maps.map((grid) => resizeGrid(grid, network.entry.size));
  return { maps, top: maps.length ? Math.max(...maps.map(largest)) : 0 };
}

/** A map over the face with its color bar and sentences. */
export function over(
  pixels: Float32Array, heat: Float32Array, top: number, unit: string, alt: string, ...sentences: (Node | string)[]
): HTMLElement {
  const canvas = pixelCanvas(Math.sqrt(pixels.length), alt);
  drawOver(canvas, pixels, heat, top);
  return figure(element("div", {}, canvas, colorBar(top, unit)), ...sentences);
}

/** A row for each class: name, bar, probability; the class of the map is outlined. */
export function bars(entry: NetworkEntry, probabilities: number[], chosen = -1): HTMLElement {
  const rows = entry.classes.map((name, i) => {
    const filled = element("b");
    filled.style.width = `${100 * probabilities[i]}%`;
    filled.style.background = entry.colors[i];
    const row = element("div", { className: i === chosen ? "bar chosen" : "bar" });
    row.append(element("span", {}, name), element("i", {}, filled), element("span", {}, percent(probabilities[i])));
    return row;
  });
  return element("div", { className: "bars", role: "group", "aria-label": "Probability of each class" }, ...rows);
}

/** "Prediction: happy, 73 %." */
export function predicted(entry: NetworkEntry, probabilities: number[]): HTMLElement {
  const top = Math.max(...probabilities);
  return strong(`Prediction: ${entry.classes[probabilities.indexOf(top)]}, ${percent(top)}.`);
}

/** The sentences under a map. */
export function mapSentences(explained: Explained, class_: string, most: number, top: number): (Node | string)[] {
  const grid = explained.prediction.maps[0];
  if (most === 0) {
    return [strong("This map is blank: "), `no region supports ${class_}. A blank map is not evidence of anything.`];
  }
  if (most < 0.15 * top) {
    return [strong(`Weak evidence for ${class_}: `), "on the scale shared by all classes its map is faint."];
  }
  return [
    strong(`Brighter: stronger evidence for ${class_} `),
    `in layer ${explained.network.entry.layer} (${grid.height}\u00a0×\u00a0${grid.width}, resized). It does not prove that these ` +
      "pixels caused the prediction; a wrong prediction can have a sensible map.",
  ];
}
