/** Small helpers for the page: elements, numbers, errors for visitors. */

/** An error whose message is a sentence for the visitor. */
export class VisitorError extends Error {}

type Properties<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], "style">> & {
  [attribute: `aria-${string}`]: string;
  role?: string;
};

/** An element with properties or attributes, and children; texts are never read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Properties<K> = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.startsWith("aria-")) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children);
  return made;
}

/** A probability in percent, such as "73 %", or "<1 %" below one percent. */
export function percent(share: number): string {
  return share > 0 && share < 0.01 ? "<1\u00a0%" : `${Math.round(100 * share)}\u00a0%`;
}

/** A field with a label above it. */
export function field(label: string, control: HTMLElement, wide = false): HTMLLabelElement {
  return element("label", { className: wide ? "field wide" : "field" }, element("span", {}, label), control);
}

/** A select box; `change` is called with the chosen value. */
export function choice(
  options: readonly (readonly [value: string, title: string])[], value: string, change: (value: string) => void,
): HTMLSelectElement {
  const select = element("select", {}, ...options.map(([v, title]) => element("option", { value: v }, title)));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return select;
}

/** A slider with its value and unit beside the label. */
export function slider(
  label: string, range: { min: number; max: number; step: number; value: number }, change: (value: number) => void,
  show: (value: number) => string = String,
): HTMLLabelElement {
  const output = element("span", {}, show(range.value));
  const input = element("input", { type: "range", min: `${range.min}`, max: `${range.max}`, step: `${range.step}` });
  input.value = `${range.value}`;
  input.addEventListener("input", () => {
    output.textContent = show(input.valueAsNumber);
    change(input.valueAsNumber);
  });
  const title = element("span", {}, `${label}: `, output);
  return element("label", { className: "field wide" }, title, input);
}

/** A figure with sentences below. */
export function figure(picture: HTMLElement, ...sentences: (Node | string)[]): HTMLElement {
  return element("figure", {}, picture, element("figcaption", {}, ...sentences));
}

export const strong = (text: string): HTMLElement => element("strong", {}, text);
