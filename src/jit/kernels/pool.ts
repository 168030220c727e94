/** Max and average pooling, one invocation per output element or per four channels. */
import * as tf from '../../tf.js';
import { SAME } from '../nodes.js';
import { shape4 } from '../view.js';
import { indexAt, typeOf, widthOf } from './operands.js';
import { declare, groups, type Kernel } from './program.js';

const SIZE = 64;

export const pool: Kernel = (node, context) => {
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { attrs } = node;
  const info = tf.backend_util.computePool2DInfo(
    ...([
      [...input.shape],
      attrs.filterSize,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
    ] as unknown as Parameters<typeof tf.backend_util.computePool2DInfo>),
  );
  const isMax = node.op === 'MaxPool';
  const width = widthOf([input, out]);
  const type = typeOf(width);
  const [, ih, iw] = shape4(input);
  const [n, h, w, c] = shape4(out);
  const perPicture = (h * w * c) / width;
  const wgsl = `${declare(['input', 'result'], type)}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${perPicture}u) { return; }
  let c = id.x % ${c / width}u;
  let outX = id.x / ${c / width}u % ${w}u;
  let outY = id.x / ${(c / width) * w}u;
  let n = id.z;
  var best = ${type}(${isMax ? '-3.4e38' : '0'});
  var count = 0.0;
  for (var ky = 0; ky < ${info.filterHeight}; ky++) {
    let sy = i32(outY) * ${info.strideHeight} + ky - ${info.padInfo.top};
    if (sy < 0 || sy >= ${ih}) { continue; }
    for (var kx = 0; kx < ${info.filterWidth}; kx++) {
      let sx = i32(outX) * ${info.strideWidth} + kx - ${info.padInfo.left};
      if (sx < 0 || sx >= ${iw}) { continue; }
      let y = u32(sy);
      let x = u32(sx);
      let value = input[${indexAt(input, SAME, width)}];
      ${isMax ? 'best = max(best, value);' : 'best += value; count += 1;'}
    }
  }
  let y = outY;
  let x = outX;
  result[${indexAt(out, SAME, width)}] = ${isMax ? 'best' : attrs.countsPadding ? `best / ${info.filterHeight * info.filterWidth}.0` : 'best / count'};
}`;
  return [
    {
      label: `${isMax ? 'max' : 'avg'}pool${info.filterHeight}x${info.filterWidth}`,
      wgsl,
      workgroups: [groups(perPicture, SIZE), 1, n],
      bindings: [
        { kind: 'read', value: node.inputs[0] },
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
