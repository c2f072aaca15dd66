/** The choice of a face: samples, and after the consent notice a photo or the camera. */

import { Camera } from "./camera";
import { asCanvas, drawPicture } from "./drawing";
import { element } from "./elements";
import { readImage, readPhoto } from "./photo";
import type { State } from "./state";
import type { Sample } from "./manifest";

/** What the choice needs of the page around it. */
export interface Page {
  state: State;
  /** Run work in turn, draw the tab again, and show the sentence of an error. */
  run(work: () => Promise<void>): Promise<void>;
}

export class FaceInput {
  readonly samples: HTMLElement;
  readonly consent: HTMLElement;
  /** The photograph or the camera with its boxes, the choice of a face, and a sentence. */
  readonly shown: HTMLElement;
  private readonly picture = element("canvas", { className: "picture", hidden: true, role: "img" });
  private readonly several = element("div", { className: "row", role: "group", "aria-label": "Face", hidden: true });
  private readonly status = element("p", { className: "quiet" });
  private readonly live = element("button", { type: "button" }, "Start the camera");
  private readonly camera = new Camera(this.picture);

  constructor(private readonly page: Page) {
    const { samples } = page.state.manifest;
    this.samples = element(
      "div", { className: "samples", role: "group", "aria-label": "Sample faces" },
      ...samples.map((sample) => this.sampleButton(sample)),
    );
    this.consent = this.consentNotice();
    this.shown = element("div", {}, this.picture, this.several, this.status);
  }

  async chooseSample(sample: Sample): Promise<void> {
    this.stopCamera();
    await this.page.run(async () => {
      await this.page.state.see(await readImage(sample.file), true);
      this.showPicture();
    });
  }

  private sampleButton(sample: Sample): HTMLElement {
    const title = sample.title.split(" (")[0].replace("Drawn face: ", "");
    const image = element("img", { src: sample.file, alt: "", width: 72, height: 72 });
    const button = element("button", { type: "button", title: sample.credit }, image, title);
    button.addEventListener("click", () => this.chooseSample(sample));
    return button;
  }

  private consentNotice(): HTMLElement {
    const { words } = this.page.state.manifest;
    const box = element("input", { type: "checkbox" });
    const file = element("input", { type: "file", accept: "image/*" });
    const sources = element(
      "div", { className: "row", hidden: true }, element("label", { className: "button" }, "Choose a photo", file), this.live,
    );
    box.addEventListener("change", () => {
      sources.hidden = !box.checked;
      if (!box.checked) this.stopCamera();
    });
    file.addEventListener("change", () => {
      if (file.files?.[0]) void this.choosePhoto(file.files[0]);
      file.value = "";
    });
    this.live.addEventListener("click", () => void (this.camera.running ? this.stopCamera() : this.startCamera()));
    return element(
      "details", {}, element("summary", {}, "Use your own image: consent notice"),
      ...words.notice.map((paragraph) => element("p", {}, paragraph)),
      element("label", { className: "check" }, box, words.accept), sources,
    );
  }

  private async choosePhoto(file: Blob): Promise<void> {
    this.stopCamera();
    await this.page.run(async () => {
      await this.page.state.see(await readPhoto(file));
      this.showPicture();
    });
  }

  /** The photograph with its boxes; nothing for a sample. */
  private showPicture(): void {
    const { seen } = this.page.state;
    const boxes = seen?.boxes ?? [];
    this.status.textContent = this.page.state.note;
    this.picture.hidden = !boxes.length;
    this.several.hidden = boxes.length < 2;
    this.several.replaceChildren(...(boxes.length < 2 ? [] : boxes.map((_, i) => this.faceButton(i))));
    if (!seen || !boxes.length) return;
    drawPicture(this.picture, asCanvas(seen.image), seen.image.width, seen.image.height, boxes, seen.chosen);
    const count = boxes.length === 1 ? "one face" : `${boxes.length} faces`;
    this.picture.setAttribute("aria-label", `Your image with a box around ${count}`);
  }

  private faceButton(index: number): HTMLElement {
    const pressed = String(this.page.state.seen?.chosen === index);
    const button = element("button", { type: "button", "aria-pressed": pressed }, `Face ${index + 1}`);
    button.addEventListener("click", () =>
      this.page.run(async () => {
        this.page.state.seen!.chosen = index;
        this.showPicture();
      }),
    );
    return button;
  }

  private async startCamera(): Promise<void> {
    let failed = false;
    await this.page.run(async () => {
      try {
        await this.camera.start();
      } catch (error) {
        failed = true;
        throw error;
      }
    });
    if (failed) return;
    this.live.textContent = "Stop the camera";
    this.picture.hidden = false;
    this.picture.setAttribute("aria-label", "The camera with a box around the face");
    this.several.hidden = true;
    while (this.camera.running) {
      await this.page.run(() => this.camera.frame(this.page.state));
      if (!this.camera.running) break;
      const missing = this.camera.found ? "" : " No face is found: face the camera, with light from the front.";
      this.status.textContent = `${this.camera.rate.toFixed(0)} frames a second.${missing}`;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  private stopCamera(): void {
    if (!this.camera.running) return;
    this.camera.stop();
    this.live.textContent = "Start the camera";
    this.status.textContent = "The camera is off. What is shown is its last frame.";
  }
}
