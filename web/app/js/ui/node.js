// Elements, made one by one, and drawn anew with the focus where it was. Text goes in as text: nothing here, or anywhere in the app, reads markup from a string.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Value */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element. A function becomes a listener for the event after `on`, `true` an empty attribute; `null`, `undefined` and `false`
 * are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Value>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * The same of SVG.
 * @param {string} tag
 * @param {Record<string, Value>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  return filled(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Record<string, Value>} attributes
 * @param {(Child | Child[])[]} children
 */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The focus goes to what bears this name, or to the screen if nothing does any more. @param {Element} within @param {string | null | undefined} name */
export function focusOn(within, name) {
  const found = name ? within.querySelector(`[data-choice="${name}"]`) : null;
  /** @type {HTMLElement | null} */ (found ?? document.getElementById("screen"))?.focus({ preventScroll: !found });
}

/** Draws anew; the focus stays on what bears the same name. @param {HTMLElement} node @param {Child[]} children */
export function redraw(node, children) {
  const had = node.contains(document.activeElement);
  const held = document.activeElement?.getAttribute("data-choice");
  node.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
  if (had) focusOn(node, held);
}
