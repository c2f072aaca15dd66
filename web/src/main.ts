/** The web demo: the page around a face, its network and the tabs. */

import { FaceInput } from "./face_input";
import { recycle, setColors } from "./drawing";
import { VisitorError, choice, element, field } from "./elements";
import { loadManifest } from "./manifest";
import { State, explain } from "./state";
import { TABS, type Tab } from "./tabs";
import { readPhoto } from "./photo";
import { findFacesIn, faceOf } from "./faces";

const FAILED = "The computation failed in this browser. Reload the page, or open it on another device.";

async function start(): Promise<void> {
  const app = document.getElementById("app")!;
  try {
    const state = new State(await loadManifest());
    setColors(state.manifest.inferno);
    await build(app, state);
  } catch (error) {
    app.replaceChildren(element("p", { className: "error", role: "alert" }, sentence(error)));
  }
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("sw.js").catch(() => undefined);
}

async function build(app: HTMLElement, state: State): Promise<void> {
  const message = element("p", { className: "error", role: "alert", hidden: true });
  const controls = element("div", { className: "row" });
  const panel = element("div", { role: "tabpanel", id: "panel", tabIndex: 0 });
  const classes = element("div", { className: "field" });
  let tab: Tab = TABS[0];

  const show = async (error: unknown): Promise<void> => {
    message.hidden = error === null;
    message.textContent = error === null ? "" : sentence(error);
  };
  const draw = async (): Promise<void> => {
    const result = await tab.result(state, again);
    const focused = buttonsIn(panel).indexOf(document.activeElement as HTMLButtonElement);
    const old = [...panel.children];
    panel.replaceChildren(...result);
    recycle(old);
    buttonsIn(panel)[focused]?.focus(); // the keyboard stays where it was
  };
  const run = async (work: () => Promise<void>): Promise<void> => {
    let failed: unknown = null;
    await state.inTurn(async () => {
      await work();
      await draw();
    }).catch((error) => (failed = error));
    await show(failed);
  };
  const changed = newest(() => run(async () => undefined));
  /** Draw again after a result's own button changed the class or the network. */
  const again = (): void => {
    networks.value = state.network.name;
    offerClasses();
    changed();
  };
  const open = (chosen: Tab): void => {
    tab = chosen;
    document.querySelector("header p")!.textContent = tab.question;
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(TABS[i] === tab));
      button.tabIndex = TABS[i] === tab ? 0 : -1;
    });
    panel.setAttribute("aria-label", tab.title);
    controls.replaceChildren(...tab.controls(state, changed));
    changed();
  };
  const buttons = TABS.map((one) => {
    const button = element("button", { type: "button", role: "tab", "aria-controls": "panel" }, one.title);
    button.addEventListener("click", () => open(one));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      const next = (TABS.indexOf(tab) + step + TABS.length) % TABS.length;
      open(TABS[next]);
      buttons[next].focus();
    });
    return button;
  });
  const offerClasses = (): void => {
    const options = [["", "predicted class"], ...state.network.classes.map((name) => [name, name])] as [string, string][];
    if (state.class_ && !state.network.classes.includes(state.class_)) state.class_ = null;
    const select = choice(options, state.class_ ?? "", (name) => {
      state.class_ = name || null;
      changed();
    });
    classes.replaceChildren(field("Map for the class", select));
  };
  const networks = choice(state.manifest.networks.map((n) => [n.name, n.title]), state.network.name, (name) => {
    state.network = state.entry(name);
    offerClasses();
    open(tab);
  });

  offerClasses();
  const input = new FaceInput({ state, run });
  app.replaceChildren(
    element("p", { className: "limits" }, state.manifest.words.limits), input.samples,
    element("div", { className: "row choices" }, field("Network", networks), classes, input.consent), input.shown, message,
    element("div", { role: "tablist", "aria-label": "Analyses" }, ...buttons), controls, panel,
  );
  open(tab);
  Object.assign(window, { ferscope: consoleFunctions(state) });
  await input.chooseSample(state.manifest.samples[0]);
}

const buttonsIn = (panel: HTMLElement): HTMLButtonElement[] => [...panel.querySelectorAll("button")];

/** A function that calls `work` once for several calls while it is busy, with what is chosen last. */
function newest(work: () => Promise<void>): () => void {
  let [busy, again] = [false, false];
  return async function call(): Promise<void> {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      await work();
    } while (again);
    busy = false;
  };
}

/** For the browser's console: `await ferscope.explain(file)` returns the numbers behind the page. */
function consoleFunctions(state: State) {
  return {
    async explain(file: Blob, network = state.network.name, cropped = false) {
      return state.inTurn(async () => {
        const image = await readPhoto(file);
        const boxes = cropped ? [] : await findFacesIn(await state.faceDetector(), image);
        const { prediction, pixels } = await explain(await state.open(state.entry(network)), faceOf({ image, boxes, chosen: 0 }));
        return { ...prediction, pixels, boxes };
      });
    },
  };
}

function sentence(error: unknown): string {
  if (error instanceof VisitorError) return error.message;
  console.error(error);
  return FAILED;
}

void start();
