/** Getting a picture into a sample (MMPose: `mmpose/datasets/transforms/loading.py`). */
import { readConfig } from '../../config.js';
import { InputError } from '../../errors.js';
import { requireField, type Transform, type TransformContext, type TransformResults } from './base.js';
import type { PixelImage } from './warp_affine.js';

/**
 * Decodes the picture of `imgPath` with the context's `loadImage`, unless the sample has one already. Sets img, imgShape,
 * oriShape.
 */
export class LoadImage implements Transform {
  readonly #context: TransformContext;

  constructor(config: Readonly<Record<string, unknown>> = {}, context: TransformContext = {}) {
    // How a file is opened and decoded is the page's business; MMPose's keys for it are accepted and have no effect.
    readConfig(config, 'LoadImage', {
      to_float32: false,
      color_type: 'color',
      imdecode_backend: 'cv2',
      file_client_args: null,
      backend_args: null,
      ignore_empty: false,
    });
    this.#context = context;
  }

  async transform(results: TransformResults): Promise<TransformResults> {
    const img = Array.isArray(results.img) ? results.img[0] : (results.img ?? (await this.#load(results)));
    const { width, height } = img as PixelImage;
    return { ...results, img: results.img ?? img, imgShape: [height, width], oriShape: [height, width] };
  }

  async #load(results: TransformResults): Promise<PixelImage> {
    const { loadImage } = this.#context;
    if (!loadImage)
      throw new InputError('LoadImage: found no picture in the sample and no loadImage in the context; pass one.');
    return loadImage(requireField(results, 'imgPath', 'LoadImage'));
  }
}
