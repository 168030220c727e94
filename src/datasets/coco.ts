/** The COCO keypoint format (https://cocodataset.org/#format-data), keys verbatim, and an index over it. */
import { InputError } from '../errors.js';

export interface CocoImage {
  readonly id: number;
  readonly width: number;
  readonly height: number;
  readonly file_name?: string;
  /** CrowdPose: how crowded, 0..1. */
  readonly crowdIndex?: number;
  readonly [key: string]: unknown;
}

export interface CocoAnnotation {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  /** [x, y, w, h] px */
  readonly bbox?: readonly number[];
  /** [K * 3] x, y, visibility (0 absent, 1 hidden, 2 visible) */
  readonly keypoints?: readonly number[];
  readonly num_keypoints?: number;
  /** px² of the segment */
  readonly area?: number;
  readonly iscrowd?: number | boolean;
  readonly foot_kpts?: readonly number[];
  readonly face_kpts?: readonly number[];
  readonly lefthand_kpts?: readonly number[];
  readonly righthand_kpts?: readonly number[];
  readonly [key: string]: unknown;
}

export interface CocoCategory {
  readonly id: number;
  readonly name: string;
  readonly [key: string]: unknown;
}

export interface CocoJson {
  readonly images: readonly CocoImage[];
  readonly annotations: readonly CocoAnnotation[];
  readonly categories?: readonly CocoCategory[];
  readonly [key: string]: unknown;
}

/** One keypoint detection, as COCO's result files hold them. */
export interface CocoResult {
  readonly image_id: number;
  readonly category_id: number;
  /** [K * 3] x, y, score */
  readonly keypoints: readonly number[];
  readonly score: number;
  /** [x, y, w, h] px */
  readonly bbox?: readonly number[];
  readonly [key: string]: unknown;
}

/** Pictures, annotations and categories by id. */
export class CocoIndex {
  readonly dataset: CocoJson;
  readonly images: ReadonlyMap<number, CocoImage>;
  readonly #annotations: ReadonlyMap<number, CocoAnnotation[]>;

  /** @throws InputError when the object is no COCO file */
  constructor(dataset: CocoJson) {
    if (!Array.isArray(dataset?.images) || !Array.isArray(dataset.annotations)) {
      throw new InputError('COCO annotations: found no lists "images" and "annotations"; expected a COCO JSON object.');
    }
    this.dataset = dataset;
    this.images = new Map(dataset.images.map((image) => [image.id, image]));
    const byImage = new Map<number, CocoAnnotation[]>();
    for (const annotation of dataset.annotations) {
      const list = byImage.get(annotation.image_id);
      if (list) list.push(annotation);
      else byImage.set(annotation.image_id, [annotation]);
    }
    this.#annotations = byImage;
  }

  /** Annotations of a picture, in file order. */
  annotationsOf(imageId: number): readonly CocoAnnotation[] {
    return this.#annotations.get(imageId) ?? [];
  }

  /** Ids of all categories; of those in use when the file lists none. */
  categoryIds(): number[] {
    const { categories, annotations } = this.dataset;
    return [...new Set(categories ? categories.map(({ id }) => id) : annotations.map((a) => a.category_id))];
  }
}
