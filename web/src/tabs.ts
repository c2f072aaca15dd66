/** The tabs of the page: each draws itself from the state, as often as the face or a control changes. */

import { average, splitFrequencies } from "./frequency";
import { choice, element, field, slider, strong } from "./elements";
import { drawOver, pixelCanvas } from "./drawing";
import { largest, resizeGrid, type Grid } from "./network";
import { bars, gray, mapSentences, mapsOf, over, predicted } from "./pieces";
import { type Decomposition, decompose, rankK } from "./svd";
import type { Explained, State } from "./state";
import { spearman } from "./correlation";

export interface Tab {
  title: string;
  question: string;
  /** Controls above the result, made once. */
  controls(state: State, changed: () => void): HTMLElement[];
  /** The result for the face that is shown. */
  result(state: State, changed: () => void): Promise<HTMLElement[]>;
}

const none = (): HTMLElement[] => [];

const figures = (...children: HTMLElement[]): HTMLElement => element("div", { className: "figures" }, ...children);

const NO_MAP = "No layer of this network has feature maps that lead to its prediction, so there is no map.";

export const explainTab: Tab = {
  title: "Explain",
  question: "Which image regions support the prediction?",
  controls: none,
  async result(state, changed) {
    const explained = await state.explain(state.network);
    const { pixels, prediction, network } = explained;
    const { entry } = network;
    const chosen = state.classIndex(explained);
    const { maps, top } = mapsOf(explained);
    const input = gray(
      pixels, "The input of the network", strong("Input: "),
      `${entry.size} × ${entry.size} ${entry.channels === 1 ? "gray" : "RGB"} pixels. Finer detail is lost before the network.`,
    );
    const map = maps.length
      ? over(
          pixels, maps[chosen], top, "logit", `Map for ${entry.classes[chosen]} over the face`,
          ...mapSentences(explained, entry.classes[chosen], largest(maps[chosen]), top),
        )
      : element("p", {}, NO_MAP);
    const shares = element(
      "div", {}, bars(entry, prediction.probabilities, maps.length ? chosen : -1),
      element("p", {}, predicted(entry, prediction.probabilities), ` ${entry.meaning}`),
    );
    return [figures(map, shares, input), ...everyClass(explained, maps, top, state, changed)];
  },
};

/** The maps of all classes on one scale; a click chooses a class. */
function everyClass(
  { network, pixels, predicted }: Explained, maps: Float32Array[], top: number, state: State, changed: () => void,
): HTMLElement[] {
  if (!maps.length) return [];
  const { classes, size } = network.entry;
  const buttons = classes.map((name, i) => {
    const canvas = pixelCanvas(size, "");
    drawOver(canvas, pixels, maps[i], top);
    const pressed = String(name === (state.class_ ?? classes[predicted]));
    const button = element("button", { type: "button", "aria-pressed": pressed }, canvas, name);
    button.addEventListener("click", () => {
      state.class_ = name;
      changed();
    });
    return button;
  });
  return [
    element("h2", {}, "Map for each class, on one scale"),
    element("div", { className: "strip" }, ...buttons),
  ];
}

export const frequencyTab: Tab = {
  title: "Frequency",
  question: "Does the prediction rest on high or on low frequencies?",
  controls: (state, changed) => [
    slider("Cut-off frequency in cycles per pixel", { min: 0.04, max: 0.4, step: 0.01, value: state.cutoff }, (value) => {
      state.cutoff = value;
      changed();
    }, (value) => value.toFixed(2)),
    field("Filter", choice(["gaussian", "butterworth", "ideal"].map((f) => [f, f]), state.filter, (value) => {
      state.filter = value as State["filter"];
      changed();
    })),
  ],
  async result(state) {
    const { network, pixels, prediction } = await state.explain(state.network);
    const { entry } = network;
    const { low, high, detail } = splitFrequencies(pixels, state.cutoff, state.filter);
    const mean = average(pixels);
    const [ofLow, ofHigh] = [await network.classify(low), await network.classify(high.map((value) => value + mean))];
    const ringing = state.filter === "ideal" ? " The waves beside edges come from its sharp cut-off, not the face." : "";
    return [
      figures(
        gray(pixels, "The input of the network", predicted(entry, prediction.probabilities), " The whole input."),
        gray(low, "Low frequencies", predicted(entry, ofLow), ` Low frequencies: shapes and lighting.${ringing}`),
        gray(
          high.map((value) => 0.5 + value / 2), "High frequencies around middle gray", predicted(entry, ofHigh),
          ` High frequencies: edges, ${Math.round(100 * detail)} % of the contrast. Images without low frequencies are ` +
            "unlike the training images.",
        ),
      ),
    ];
  },
};

let lastDecomposed: { pixels: Float32Array; found: Decomposition } | null = null;

/** The decomposition of an image, kept while only the rank changes. */
function decomposed(pixels: Float32Array): Decomposition {
  const same = lastDecomposed?.pixels.every((value, i) => value === pixels[i]);
  if (!lastDecomposed || !same || lastDecomposed.pixels.length !== pixels.length) {
    lastDecomposed = { pixels, found: decompose(pixels) };
  }
  return lastDecomposed.found;
}

export const svdTab: Tab = {
  title: "SVD",
  question: "How much of a face does a low-rank approximation keep, and what does the network still recognize?",
  controls: (state, changed) => [
    slider("Rank k of the approximation", { min: 1, max: state.network.size, step: 1, value: state.rank }, (value) => {
      state.rank = value;
      changed();
    }),
  ],
  async result(state) {
    const { network, pixels, prediction } = await state.explain(state.network);
    const { entry } = network;
    const k = Math.min(state.rank, entry.size);
    const found = decomposed(pixels);
    const approximation = rankK(found, k);
    const shares = await network.classify(approximation);
    const mean = average(pixels);
    const sum = (values: Float32Array, other: (i: number) => number): number =>
      values.reduce((total, value, i) => total + (value - other(i)) ** 2, 0);
    const lost = sum(pixels, (i) => approximation[i]) / Math.max(sum(pixels, () => mean), 1e-12);
    const kept = Math.round(100 * Math.max(0, 1 - lost));
    return [
      figures(
        gray(pixels, "The input of the network", predicted(entry, prediction.probabilities), " The whole input."),
        gray(
          approximation, `Rank-${k} approximation`, predicted(entry, shares),
          ` Rank-${k} approximation: the sum of the first ${k} of ${entry.size} rank-1 components keeps ${kept} % of the variance.`,
        ),
        element(
          "div", {}, bars(entry, shares),
          element("p", {}, strong("Probabilities "), "for the approximation. Low-rank images are unlike the training images."),
        ),
      ),
    ];
  },
};

export const attentionTab: Tab = {
  title: "Attention",
  question: "Attention maps: which positions does the network weight?",
  controls: none,
  async result(state, changed) {
    const { network, pixels, prediction } = await state.explain(state.network);
    const { entry } = network;
    if (!prediction.attention.length) {
      const other = state.manifest.networks.find((found) => found.attention.length);
      const sentence = `${entry.title} has no spatial attention.`;
      if (!other) return [element("p", {}, `${sentence} No network of this demo has it.`)];
      const choose = element("button", { type: "button", className: "main" }, `Choose ${other.title}`);
      choose.addEventListener("click", () => {
        state.network = other;
        changed();
      });
      return [element("p", {}, sentence), choose];
    }
    const maps = prediction.attention.map((grid: Grid, i) => {
      const values = resizeGrid(grid, entry.size);
      const { title, layer } = entry.attention[i];
      return over(pixels, values, largest(values), "", `${title} of ${layer} over the face`, strong(`${title}, `), layer);
    });
    return [
      figures(...maps),
      element("p", {}, "Brighter: larger attention weights. The prediction need not depend on these regions."),
    ];
  },
};

export const compareTab: Tab = {
  title: "Compare",
  question: "Do networks agree, and do the same image regions support their predictions?",
  controls: (state, changed) =>
    state.manifest.networks.length < 2 ? [] : [
      field("Second network", choice(state.manifest.networks.map((n) => [n.name, n.title]), state.other.name, (name) => {
        state.other = state.entry(name);
        changed();
      })),
    ],
  async result(state) {
    if (state.other === state.network) {
      const why = state.manifest.networks.length < 2 ? "This demo has only one network." : "Choose two different networks.";
      return [element("p", {}, `A comparison needs two networks. ${why}`)];
    }
    const both = [await state.explain(state.network), await state.explain(state.other)];
    const name = both[0].network.entry.classes[state.classIndex(both[0])];
    const names = both.map(({ network, predicted }) => network.entry.classes[predicted]);
    const verdict = names[0] === names[1] ? `Both predict ${names[0]}.` : `They disagree: ${names[0]} and ${names[1]}.`;
    const side = Math.max(...both.map(({ network }) => network.entry.size));
    const grids = both.map(({ network, prediction }) => prediction.maps[network.entry.classes.indexOf(name)]);
    const likeness = grids.every(Boolean) ? spearman(resizeGrid(grids[0], side), resizeGrid(grids[1], side)) : NaN;
    const alike = Number.isNaN(likeness)
      ? ` For ${name} one map is missing or blank.`
      : ` Spearman correlation of the maps for ${name}: ${likeness.toFixed(2)} (1: same order).`;
    return [
      element("p", {}, strong(verdict), alike, " Agreement does not prove that they are right."),
      figures(...both.map((explained) => card(explained, name))),
    ];
  },
};

function card(explained: Explained, class_: string): HTMLElement {
  const { network, pixels, prediction } = explained;
  const { entry } = network;
  const index = entry.classes.indexOf(class_);
  const { maps, top } = mapsOf(explained);
  const map = maps.length && index >= 0
    ? over(pixels, maps[index], top, "logit", `Map of ${entry.title} for ${class_}`)
    : gray(pixels, "The face, without a map");
  return element("div", {}, element("h2", {}, entry.title), map, bars(entry, prediction.probabilities, index));
}

export const aboutTab: Tab = {
  title: "About",
  question: "What is FERScope for, and what must it not be used for?",
  controls: none,
  async result(state) {
    const { words, samples } = state.manifest;
    return [
      element("h2", {}, "What it must not be used for"),
      element("ul", {}, ...words.notFor.map((use) => element("li", {}, use))),
      element("h2", {}, "Where images go"),
      ...words.notice.slice(1).map((paragraph) => element("p", {}, paragraph)),
      element("h2", {}, "Samples and licenses"),
      element("ul", {}, ...[...new Set(samples.map((s) => s.credit))].map((credit) => element("li", {}, credit))),
      element("p", {}, element("a", { href: "LICENSES.txt" }, "Licenses of the software and of the weights")),
    ];
  },
};

export const TABS = [explainTab, frequencyTab, svdTab, attentionTab, compareTab, aboutTab];
