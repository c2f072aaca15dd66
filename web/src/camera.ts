/** The live camera: a frame is computed, drawn, and the next one is taken. Nothing of it is stored. */

import type { Box } from "./boxes";
import { detect, follow } from "./detection";
import { outline } from "./drawing";
import { VisitorError } from "./elements";
import { pixelsOf } from "./photo";
import type { State } from "./state";

const LONGEST = 480; // pixels of a frame
const WHOLE_FRAME = 1000; // milliseconds between two searches of the whole frame

export class Camera {
  private stream: MediaStream | null = null;
  private last: Box[] = [];
  private searched = -Infinity;
  private readonly pixels = document.createElement("canvas");
  private readonly video = document.createElement("video");
  /** Whether a face is on the last frame. */
  found = false;
  /** Times of the last frames, in milliseconds. */
  readonly times: number[] = [];

  constructor(readonly canvas: HTMLCanvasElement) {
    this.video.muted = true;
    this.video.playsInline = true;
  }

  get running(): boolean {
    return this.stream !== null;
  }

  /** Frames a second over the last two seconds. */
  get rate(): number {
    const span = this.times.length > 1 ? this.times[this.times.length - 1] - this.times[0] : 0;
    return span > 0 ? (1000 * (this.times.length - 1)) / span : 0;
  }

  async start(): Promise<void> {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new VisitorError("Browsers give the camera to pages over https only. Choose a photo instead.");
    }
    try {
      const video = { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } };
      this.stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.stop();
      throw new VisitorError(reason(error));
    }
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.video.srcObject = null;
    this.last = [];
    this.times.length = 0;
  }

  /** Take a frame, find its faces, and make the largest one that of the page. */
  async frame(state: State): Promise<void> {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    const image = pixelsOf(this.video, width, height, LONGEST, this.pixels);
    const boxes = await this.faces(state, image);
    this.found = boxes.length > 0;
    if (this.found) {
      state.seen = { image, boxes, chosen: 0 };
      state.note = "";
    }
    this.draw(image.width, image.height, boxes);
    this.times.push(performance.now());
    while (this.times[0] < performance.now() - 2000) this.times.shift();
  }

  private async faces(state: State, image: Parameters<typeof detect>[1]): Promise<Box[]> {
    const detector = await state.faceDetector();
    const now = performance.now();
    if (this.last.length && now - this.searched < WHOLE_FRAME) {
      const followed = await follow(detector, image, this.last[0]);
      if (followed) return (this.last = [followed]);
    }
    this.searched = now;
    return (this.last = await detect(detector, image));
  }

  /** The frame as in a mirror, with a box around the face. */
  private draw(width: number, height: number, boxes: Box[]): void {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d")!;
    context.save();
    context.translate(width, 0);
    context.scale(-1, 1);
    context.drawImage(this.video, 0, 0, width, height);
    if (boxes.length) outline(context, boxes[0], 3);
    context.restore();
  }
}

function reason(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The camera was not allowed. Allow it in the address bar, or choose a photo.";
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return "This device has no camera that the browser can use. Choose a photo instead.";
  }
  return "The camera could not be opened, perhaps because another program uses it. Choose a photo instead.";
}
