/** What is chosen on the page, the networks that are open, and the queue of computations. */

import { faceOf, findFacesIn, type Seen } from "./faces";
import { luminance, networkInput } from "./cropping";
import { VisitorError } from "./elements";
import type { Image } from "./image";
import type { Manifest, NetworkEntry } from "./manifest";
import { Network, type Prediction } from "./network";
import { type Session, openSession } from "./runtime";
import type { Filter } from "./frequency";

/** A face as one network sees it, with its prediction. */
export interface Explained {
  network: Network;
  /** Luminance in 0..1, (S, S). */
  pixels: Float32Array;
  prediction: Prediction;
  /** Index of the predicted class. */
  predicted: number;
}

export class State {
  network: NetworkEntry;
  other: NetworkEntry;
  /** Class of the map; null: the predicted class. */
  class_: string | null = null;
  cutoff = 0.2;
  filter: Filter = "gaussian";
  rank = 8;
  seen: Seen | null = null;
  /** A sentence about the face, such as that none was found. */
  note = "";

  private detector: Promise<Session> | null = null;
  private readonly opened = new Map<string, Promise<Network>>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(readonly manifest: Manifest) {
    this.network = manifest.networks[0];
    this.other = manifest.networks[1] ?? manifest.networks[0];
  }

  /** Run a computation after all that were started before: a session runs one input at a time. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }

  entry(name: string): NetworkEntry {
    const found = this.manifest.networks.find((network) => network.name === name);
    if (!found) throw new VisitorError(`There is no network "${name}" here.`);
    return found;
  }

  open(entry: NetworkEntry): Promise<Network> {
    return kept(this.opened, entry.name, () => Network.open(entry));
  }

  faceDetector(): Promise<Session> {
    this.detector ??= openSession("yunet.onnx");
    this.detector.catch(() => (this.detector = null));
    return this.detector;
  }

  /** Use the faces of an image; `cropped`: it is a cropped face. */
  async see(image: Image, cropped = false): Promise<void> {
    const boxes = cropped ? [] : await findFacesIn(await this.faceDetector(), image);
    this.seen = { image, boxes, chosen: 0 };
    this.note = cropped || boxes.length
      ? ""
      : "No face was found. What is shown is computed for the center of the image, and means nothing about a face.";
  }

  /** The prediction of a network for the face that is shown. */
  async explain(entry: NetworkEntry): Promise<Explained> {
    if (!this.seen) throw new VisitorError("No face is chosen. Choose a sample, a photo or the camera.");
    return explain(await this.open(entry), faceOf(this.seen));
  }

  /** Index of the class of the map in a network's classes. */
  classIndex({ network, predicted }: Explained): number {
    const found = this.class_ === null ? -1 : network.entry.classes.indexOf(this.class_);
    return found < 0 ? predicted : found;
  }
}

export async function explain(network: Network, face: Image): Promise<Explained> {
  const { channels, size } = network.entry;
  const input = networkInput(face, channels, size);
  const prediction = await network.predict(input);
  const predicted = prediction.probabilities.indexOf(Math.max(...prediction.probabilities));
  return { network, pixels: channels === 1 ? input : luminance(face, size), prediction, predicted };
}

/** A promise that is made once for each key, and again after a failure. */
function kept<T>(store: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = store.get(key);
  if (known) return known;
  const made = make();
  store.set(key, made);
  made.catch(() => store.delete(key));
  return made;
}
