// A QR as an SVG, made node by node: rows of `0` (light) and `1` (dark), quiet zone included.

const SVG = 'http://www.w3.org/2000/svg';

/** The picture, with a name for whoever does not see it. */
export function drawn(rows, name) {
  const svg = made('svg', { viewBox: `0 0 ${rows[0].length} ${rows.length}`, class: 'qr', role: 'img', 'aria-label': name, 'shape-rendering': 'crispEdges' });
  svg.append(made('rect', { width: rows[0].length, height: rows.length, fill: '#fff' }), made('path', { d: rows.map(runs).join(''), fill: '#000' }));
  return svg;
}

/** A row's dark runs, each a box one module high. */
const runs = (row, y) => [...row.matchAll(/1+/g)].map(({ index, 0: dark }) => `M${index} ${y}h${dark.length}v1h-${dark.length}z`).join('');

function made(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
