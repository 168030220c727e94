/** The picture with the skeleton on top. The overlay is a canvas in source pixels that fills the same frame as the picture. */
import { PoseLocalVisualizer } from 'inpose';
import type { InstanceData, NdArray, PoseDataSample, PoseMetaInfo, SkeletonStyle } from 'inpose';
import { byId } from './dom.js';
import type { Media } from './media.js';

export type Labels = 'none' | 'index' | 'name';

/** How to show a result. */
export interface Look {
  readonly kptThr: number;
  readonly style: SkeletonStyle;
  readonly labels: Labels;
}

/** Dots and lines grow with the picture, so that a large photograph does not get a hairline skeleton. */
const RADIUS_PER_PX = 1 / 150;
const LINE_PER_PX = 1 / 300;

export class Stage {
  readonly #media = byId('media', HTMLDivElement);
  readonly #photo = byId('photo', HTMLImageElement);
  readonly #video = byId('video', HTMLVideoElement);
  readonly #frame = byId('frame', HTMLCanvasElement);
  readonly #overlay = byId('overlay', HTMLCanvasElement);
  #visualizer: PoseLocalVisualizer | null = null;
  #visualizerKey = '';

  /** Shows a picture or video and forgets the skeleton of the one before. */
  show({ kind, width, height }: Media): void {
    this.#media.style.setProperty('--w', String(width));
    this.#media.style.setProperty('--h', String(height));
    this.#photo.hidden = kind !== 'photo';
    this.#video.hidden = kind === 'photo';
    this.#frame.hidden = true;
    for (const canvas of [this.#overlay, this.#frame]) Object.assign(canvas, { width, height });
  }

  set mirrored(on: boolean) {
    this.#media.classList.toggle('mirrored', on);
  }

  get mirrored(): boolean {
    return this.#media.classList.contains('mirrored');
  }

  /** Empties the overlay; a video shows itself again. */
  clear(): void {
    this.#overlay.getContext('2d')!.clearRect(0, 0, this.#overlay.width, this.#overlay.height);
    this.#frame.hidden = true;
  }

  /** Puts the frame that a skeleton belongs to over the running video, so that the two agree. */
  showFrame(frame: ImageBitmap): void {
    this.#frame.getContext('2d')!.drawImage(frame, 0, 0, this.#frame.width, this.#frame.height);
    this.#frame.hidden = false;
  }

  /** Draws a result in the colours of its meta-info. */
  async draw(sample: PoseDataSample, metainfo: PoseMetaInfo, look: Look): Promise<void> {
    const visualizer = await this.#visualizerFor(metainfo, look.style);
    // Numbers tell people apart; one who was found by itself needs none.
    const { trackIds: _, ...predInstances } = sample.predInstances ?? {};
    visualizer.addDatasample(
      null,
      { ...sample, predInstances: predInstances as InstanceData },
      {
        drawGt: false,
        kptThr: look.kptThr,
        skeletonStyle: look.style,
      },
    );
    if (look.labels !== 'none') this.#drawLabels(sample, metainfo, look);
    if (sample.predInstances?.trackIds && sample.predInstances.trackIds.data.length > 1)
      this.#drawIds(sample.predInstances);
  }

  /** Picture, skeleton and all, at the picture's own size. */
  async toPng(media: Media): Promise<Blob> {
    const canvas = new OffscreenCanvas(media.width, media.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(this.#frame.hidden ? media.element : this.#frame, 0, 0, media.width, media.height);
    context.drawImage(this.#overlay, 0, 0);
    return canvas.convertToBlob({ type: 'image/png' });
  }

  async #visualizerFor(metainfo: PoseMetaInfo, style: SkeletonStyle): Promise<PoseLocalVisualizer> {
    const { width, height } = this.#overlay;
    const key = [metainfo.datasetName, style, width, height].join();
    if (this.#visualizer && this.#visualizerKey === key) return this.#visualizer;
    const longest = Math.max(width, height);
    const radius = Math.max(2, Math.round(longest * RADIUS_PER_PX));
    const lineWidth = Math.max(1, Math.round(longest * LINE_PER_PX));
    const visualizer = new PoseLocalVisualizer({
      context: this.#overlay.getContext('2d'),
      smooth: true,
      radius,
      // The openpose style gives half the width of a limb.
      lineWidth: style === 'openpose' ? radius : lineWidth,
    });
    await visualizer.setDatasetMeta(metainfo, style);
    this.#visualizer = visualizer;
    this.#visualizerKey = key;
    return visualizer;
  }

  /** At the top of each person's box. */
  #drawIds({ bboxes, trackIds }: InstanceData): void {
    for (const [i, id] of trackIds!.data.entries()) {
      const [x1, y1, x2] = bboxes.data.subarray(i * 4, i * 4 + 3);
      const size = this.#textSize;
      this.#withText((context) => {
        context.textAlign = 'center';
        this.#writeAt(context, (x1 + x2) / 2, Math.max(y1, size), 0, `#${id}`);
      });
    }
  }

  get #textSize(): number {
    return Math.max(11, Math.round(Math.max(this.#overlay.width, this.#overlay.height) / 48));
  }

  /** Outlined text in the overlay. */
  #withText(write: (context: CanvasRenderingContext2D) => void): void {
    const context = this.#overlay.getContext('2d')!;
    const size = this.#textSize;
    context.save();
    Object.assign(context, { font: `600 ${size}px system-ui, sans-serif`, lineWidth: size / 4, lineJoin: 'round' });
    context.strokeStyle = 'rgb(0 0 0 / 75%)';
    context.fillStyle = '#fff';
    write(context);
    context.restore();
  }

  /** Readable in a mirrored picture. */
  #writeAt(context: CanvasRenderingContext2D, x: number, y: number, offset: number, text: string): void {
    context.save();
    context.translate(x, y);
    if (this.mirrored) context.scale(-1, 1);
    context.strokeText(text, offset, -this.#textSize * 0.3);
    context.fillText(text, offset, -this.#textSize * 0.3);
    context.restore();
  }

  #drawLabels({ predInstances }: PoseDataSample, metainfo: PoseMetaInfo, { labels, kptThr }: Look): void {
    if (!predInstances) return;
    const { keypoints, keypointScores } = predInstances;
    const [, , stride] = keypoints.shape;
    const middle = middleOf(keypoints);
    this.#withText((context) => {
      keypointScores.data.forEach((score, i) => {
        const [x, y] = keypoints.data.subarray(i * stride, i * stride + 2);
        if (!(score >= kptThr) || !Number.isFinite(x + y)) return;
        const k = i % metainfo.numKeypoints;
        const text = labels === 'index' ? String(k) : metainfo.keypointId2name[k].replaceAll('_', ' ');
        // Names of the left half read to the left, so that pairs of knees do not write over each other.
        const left = x < middle[Math.floor(i / keypoints.shape[1])] !== this.mirrored;
        context.textAlign = left ? 'right' : 'left';
        this.#writeAt(context, x, y, (left ? -0.55 : 0.55) * this.#textSize, text);
      });
    });
  }
}

/** Mean x of each person's keypoints. */
function middleOf({ data, shape: [count, k, stride] }: NdArray): number[] {
  return Array.from({ length: count }, (_, n) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += data[(n * k + i) * stride];
    return sum / k;
  });
}
