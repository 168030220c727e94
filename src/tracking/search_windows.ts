/** Where to look for a person in a picture that nothing is known about. */

/** xyxy, px, image space */
export type Box = [x1: number, y1: number, x2: number, y2: number];

/** MMPose's top-down configs take this much more than the box; a window is what is then left of a crop. */
const CROP_PADDING = 1.25;
/** With more windows than this the picture is so wide, or so high, that a person is too small in the whole of it. */
const WHOLE_UP_TO = 3;

/**
 * Windows of the network's shape that are as high (or as wide) as the picture and overlap by half; and the whole
 * picture, unless one window shows it all, or a person is too small in it: in the crop of a whole 16:9 picture it is a third as large
 * as networks expect.
 *
 * @param aspectRatio - width by height of the network's input
 */
export function searchWindows(view: {
  readonly imgShape: readonly [h: number, w: number];
  readonly aspectRatio: number;
}): Box[] {
  const [h, w] = view.imgShape;
  const [width, height] = [Math.min(w, h * view.aspectRatio), Math.min(h, w / view.aspectRatio)];
  const windows = centres(w, width).flatMap((x) =>
    centres(h, height).map((y): Box => boxAround(x, y, width / CROP_PADDING, height / CROP_PADDING)),
  );
  return windows.length === 1 || windows.length > WHOLE_UP_TO ? windows : [[0, 0, w, h], ...windows];
}

/** Centres of spans of `size` over `total`, each at most half a span from the next. */
function centres(total: number, size: number): number[] {
  // Rounding must not add a span.
  const count = Math.ceil((2 * (total - size)) / size - 1e-6) + 1;
  return Array.from({ length: count }, (_, i) => size / 2 + (count > 1 ? ((total - size) * i) / (count - 1) : 0));
}

function boxAround(x: number, y: number, w: number, h: number): Box {
  return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
}
