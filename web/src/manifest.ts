/** What `ferscope export web` wrote beside the page: networks, samples, words and colors. */

import { VisitorError } from "./elements";

export interface NetworkEntry {
  name: string;
  title: string;
  file: string;
  classes: string[];
  colors: string[];
  size: number;
  channels: number;
  temperature: number;
  layer: string | null;
  attention: { title: string; layer: string }[];
  storage: string;
  meaning: string;
}

export interface Sample {
  name: string;
  title: string;
  credit: string;
  file: string;
}

export interface Manifest {
  networks: NetworkEntry[];
  samples: Sample[];
  words: { limits: string; accept: string; notice: string[]; notFor: string[] };
  inferno: string;
}

export async function loadManifest(): Promise<Manifest> {
  return (await fetched("demo.json")).json();
}

/** A file of the demo's own folder; an error with a sentence for the visitor if it is not there. */
export async function fetched(path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new VisitorError(`"${path}" could not be loaded. Check the connection and reload the page.`);
  }
  if (!response.ok) throw new VisitorError(`"${path}" is missing on the server: copy the whole folder of the demo there.`);
  return response;
}
