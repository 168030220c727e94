/** A graph as an SVG picture: a row per step of the longest path, a box per node, a line per value. */
import { producersOf, type Graph, type GraphNode, type ValueId } from './graph.js';

/** px */
const [BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN] = [190, 36, 16, 26, 12] as const;

interface Place {
  readonly row: number;
  readonly column: number;
}

/** The picture as text. */
export function drawGraph(graph: Graph): string {
  const places = placed(graph);
  const all = [...places.values()];
  const columns = Math.max(...all.map(({ column }) => column)) + 1;
  const rows = Math.max(...all.map(({ row }) => row)) + 1;
  const width = 2 * MARGIN + columns * (BOX_WIDTH + GAP_X) - GAP_X;
  const height = 2 * MARGIN + rows * (BOX_HEIGHT + GAP_Y) - GAP_Y;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    '<style>rect { fill: #eef3f8; stroke: #7890a8 } .conv { fill: #dcebd8 } .port { fill: #fbf0d0 } path { fill: none; stroke: #99a }</style>',
    ...edges(graph, places),
    ...graph.inputs.map((id) => box(places.get(id)!, 'input', graph.values[id].shape, 'port')),
    ...graph.nodes.map((node) => {
      const [output] = node.outputs;
      const isOutput = node.outputs.some((id) => graph.outputs.includes(id));
      const kind = isOutput ? 'port' : node.op.endsWith('Conv') ? 'conv' : '';
      return box(places.get(output)!, titleOf(graph, node), graph.values[output].shape, kind);
    }),
    '</svg>',
  ].join('\n');
}

/** Of inputs and of the nodes' first outputs: below everything that they read. */
function placed(graph: Graph): ReadonlyMap<ValueId, Place> {
  const places = new Map<ValueId, Place>();
  const used: number[] = [];
  const put = (id: ValueId, row: number) => {
    const column = used[row] ?? 0;
    used[row] = column + 1;
    places.set(id, { row, column });
  };
  const producers = producersOf(graph);
  for (const id of graph.inputs) put(id, 0);
  for (const node of graph.nodes) {
    const above = sourcesOf(producers, node).flatMap((id) => places.get(id)?.row ?? []);
    put(node.outputs[0], Math.max(-1, ...above) + 1);
  }
  return places;
}

/** What stands in the picture for each input of a node. */
function sourcesOf(producers: ReadonlyMap<ValueId, GraphNode>, node: GraphNode): ValueId[] {
  return node.inputs.map((id) => producers.get(id)?.outputs[0] ?? id);
}

function edges(graph: Graph, places: ReadonlyMap<ValueId, Place>): string[] {
  const producers = producersOf(graph);
  return graph.nodes.flatMap((node) => {
    const to = corner(places.get(node.outputs[0])!);
    return sourcesOf(producers, node).flatMap((id) => {
      const place = places.get(id);
      if (!place) return [];
      const from = corner(place);
      const [x1, y1] = [from.x + BOX_WIDTH / 2, from.y + BOX_HEIGHT];
      const [x2, y2] = [to.x + BOX_WIDTH / 2, to.y];
      const bend = GAP_Y;
      return [`<path d="M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}"/>`];
    });
  });
}

function corner({ row, column }: Place): { x: number; y: number } {
  return { x: MARGIN + column * (BOX_WIDTH + GAP_X), y: MARGIN + row * (BOX_HEIGHT + GAP_Y) };
}

function box(place: Place, title: string, shape: readonly number[], kind: string): string {
  const { x, y } = corner(place);
  const text = (line: string, dy: number) =>
    `<text x="${x + BOX_WIDTH / 2}" y="${y + dy}" text-anchor="middle">${escaped(line)}</text>`;
  const frame = `<rect ${kind && `class="${kind}" `}x="${x}" y="${y}" width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="4"/>`;
  return [frame, text(title, 15), text(`[${shape.join(', ')}]`, 29)].join('');
}

/** The operation, with the size of its filter. */
function titleOf({ values }: Graph, { op, inputs, attrs }: GraphNode): string {
  const filter = inputs.length > 1 ? values[inputs[1]] : undefined;
  if (!/Conv/.test(op) || !filter?.constant) return op;
  return `${attrs.kind === 'depthwise' ? 'depthwise ' : ''}${op} ${filter.shape[0]}x${filter.shape[1]}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
