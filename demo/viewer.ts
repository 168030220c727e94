/** Picture, video or webcam on the stage, and the model's answers to them. */
import { BoxEditor } from './box_editor.js';
import { byId, download } from './dom.js';
import { PoseSmoother } from 'inpose';
import type { Alone, Engine, FlipChoice, HowToLook, Tracker } from './engine.js';
import { openPhoto, openVideo, openWebcam } from './media.js';
import type { Media } from './media.js';
import { attempt, say, showError } from './notices.js';
import { personCount, Results, toJson } from './results.js';
import type { Report } from './results.js';
import { Stage } from './stage.js';
import type { Labels, Look } from './stage.js';

const SAMPLE = './sample.png';
/** A paused video has no next frame, but boxes and settings may change. */
const PAUSED_MS = 200;

const NO_BOXES: Readonly<Record<Alone, string>> = {
  find: 'One person is found without a box.',
  whole: 'The whole picture counts as one person.',
};

export class Viewer {
  readonly boxes: BoxEditor;
  readonly #photo = byId('photo', HTMLImageElement);
  readonly #video = byId('video', HTMLVideoElement);
  readonly #flip = byId('flip', HTMLSelectElement);
  readonly #alone = byId('alone', HTMLSelectElement);
  readonly #style = byId('skeleton-style', HTMLSelectElement);
  readonly #labels = byId('labels', HTMLSelectElement);
  readonly #threshold = byId('threshold', HTMLInputElement);
  readonly #mirror = byId('mirror', HTMLInputElement);
  readonly #stage = new Stage();
  readonly #results = new Results();
  #media: Media | null = null;
  #engine: Engine | null = null;
  #report: Report | null = null;
  /** Changes with the picture and with the model; work for an earlier one is dropped. */
  #generation = 0;
  #busy = false;
  #wantedAgain = false;

  constructor() {
    this.boxes = new BoxEditor(byId('boxes', HTMLDivElement), byId('media', HTMLDivElement), () => this.onBoxes());
  }

  // --- What is on the stage ---

  async openFile(file: File, isVideo: boolean): Promise<void> {
    say(`Opening ${file.name}`, true);
    if (isVideo) await this.#showVideo(() => openVideo(this.#video, file));
    else await this.#show(await openPhoto(this.#photo, file, file.name));
  }

  async showSample(): Promise<void> {
    const sample = await openPhoto(this.#photo, SAMPLE, 'sample');
    this.#photo.alt = 'Sample picture: a rendered person, one arm raised';
    await this.#show(sample);
  }

  async toggleWebcam(): Promise<void> {
    if (this.#media?.kind === 'webcam') return this.showSample();
    say('Waiting for the webcam. The browser may ask for permission.', true);
    await this.#showVideo(() => openWebcam(this.#video));
  }

  /** The page has one video element: what it plays has to go before it plays another. */
  async #showVideo(open: () => Promise<Media>): Promise<void> {
    if (this.#media && this.#media.kind !== 'photo') this.#leave();
    try {
      await this.#show(await open());
    } catch (error) {
      if (!this.#media) await this.showSample();
      throw error;
    }
  }

  #leave(): void {
    this.#generation++;
    this.#media?.close();
    this.#media = null;
  }

  async #show(media: Media): Promise<void> {
    this.#leave();
    this.#media = media;
    this.#stage.show(media);
    this.#stage.mirrored = this.#mirror.checked = media.kind === 'webcam';
    this.boxes.reset(media.width, media.height);
    this.#refreshBoxButtons();
    byId('player', HTMLElement).hidden = media.kind === 'photo';
    byId('seek', HTMLElement).hidden = media.kind !== 'video';
    byId('webcam-text', HTMLElement).textContent = media.kind === 'webcam' ? 'Stop webcam' : 'Webcam';
    await this.#restart();
  }

  // --- The model ---

  /** Takes over a model; the one before is freed. */
  async setEngine(engine: Engine): Promise<void> {
    const before = this.#engine;
    this.#engine = null;
    this.#forget();
    await before?.dispose();
    this.#engine = engine;
    this.#alone.options[0].text = engine.findsEverybody ? 'Find everybody' : 'Find one person';
    this.#refreshBoxButtons();
    await this.#restart();
  }

  /** Forgets the last result and looks at what is on the stage. */
  async #restart(): Promise<void> {
    this.#forget();
    // Until there is a model, loading it is the news.
    if (!this.#engine) {
      if (this.#media?.kind !== 'photo') say('Playing. The skeleton appears when a model is loaded.');
      return;
    }
    if (this.#media?.kind === 'photo') await this.#analysePhoto();
    else void this.#play(this.#engine);
  }

  #forget(): void {
    this.#generation++;
    this.#report = null;
    this.#stage.clear();
    this.#results.clear();
    this.#refreshSaveButtons();
  }

  /** Looks at a picture once more; a video is being looked at anyway. */
  async again(): Promise<void> {
    if (this.#media?.kind === 'photo') await this.#analysePhoto();
  }

  /** A call during a call makes it look once more afterwards, at the newest boxes. */
  async #analysePhoto(): Promise<void> {
    this.#wantedAgain = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#wantedAgain) {
        this.#wantedAgain = false;
        if (this.#engine && this.#media?.kind === 'photo') await this.#analyseOnce(this.#engine, this.#media);
      }
    } finally {
      this.#busy = false;
    }
  }

  async #analyseOnce(engine: Engine, media: Media): Promise<void> {
    const isCurrent = this.#watch();
    say('Looking at the picture', true);
    const start = performance.now();
    try {
      const sample = await engine.infer(this.#photo, this.#how(null, 0));
      if (!isCurrent()) return;
      await this.#showResult(engine, media, sample, performance.now() - start);
      say(this.#summary());
    } catch (error) {
      // A model that was replaced meanwhile rejects what it was doing.
      if (isCurrent()) throw error;
    }
  }

  /** Newest frame wins: the next one is taken when the last one is drawn. */
  async #play(engine: Engine): Promise<void> {
    const isCurrent = this.#watch();
    const media = this.#media!;
    const tracker = engine.newTracker();
    // One person's tracker gives what the network gives; people with ids are smoothed.
    const smoother = engine.findsEverybody ? new PoseSmoother() : null;
    say(`Running on ${media.kind === 'webcam' ? 'the webcam' : 'the video'}.`);
    try {
      while (isCurrent()) {
        await this.#nextFrame();
        if (isCurrent()) await this.#analyseFrame(engine, media, { tracker, smoother }, isCurrent);
      }
    } catch (error) {
      if (!isCurrent()) return;
      say('');
      showError(error);
    }
  }

  async #analyseFrame(
    engine: Engine,
    media: Media,
    { tracker, smoother }: { readonly tracker: Tracker; readonly smoother: PoseSmoother | null },
    isCurrent: () => boolean,
  ): Promise<void> {
    const start = performance.now();
    const timestamp = this.#video.currentTime * 1000;
    const frame = await createImageBitmap(this.#video);
    try {
      const sample = await engine.infer(frame, this.#how(tracker, timestamp));
      if (!isCurrent()) return;
      this.#stage.showFrame(frame);
      await this.#showResult(engine, media, smoother?.smooth(sample) ?? sample, performance.now() - start);
    } finally {
      frame.close();
    }
  }

  #how(tracker: Tracker | null, timestamp: number): HowToLook {
    const [alone, flip] = [this.#alone.value as Alone, this.#flip.value as FlipChoice];
    return { boxes: this.boxes.boxes, alone, tracker, flip, timestamp };
  }

  #nextFrame(): Promise<void> {
    const video = this.#video;
    return new Promise((resolve) => {
      if (video.paused) setTimeout(resolve, PAUSED_MS);
      else if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(() => resolve());
      else requestAnimationFrame(() => resolve());
      // A stopped camera calls back no more.
      setTimeout(resolve, 1000);
    });
  }

  /** Tells whether picture and model are still those of now. */
  #watch(): () => boolean {
    const generation = this.#generation;
    return () => generation === this.#generation;
  }

  // --- Results ---

  async #showResult(engine: Engine, media: Media, sample: Report['sample'], totalMs: number): Promise<void> {
    const { metainfo, backend, timings } = engine;
    const kptThr = Number(this.#threshold.value);
    this.#report = { sample, metainfo, backend, timings, totalMs, kptThr, video: media.kind !== 'photo' };
    await this.#draw(this.#report);
    performance.mark('inpose:result');
    this.#refreshSaveButtons();
  }

  async #draw(report: Report): Promise<void> {
    try {
      await this.#stage.draw(report.sample, report.metainfo, this.#look());
    } catch (error) {
      if (this.#style.value === 'mmpose') throw error;
      // Only two datasets have OpenPose colours.
      this.#style.value = 'mmpose';
      await this.#stage.draw(report.sample, report.metainfo, this.#look());
      showError(error);
    }
    this.#results.show(report);
  }

  /** Draws the last result once more, in another look. */
  redraw(): Promise<void> {
    byId('threshold-value', HTMLOutputElement).value = Number(this.#threshold.value).toFixed(2);
    this.#stage.mirrored = this.#mirror.checked;
    return attempt(async () => {
      if (!this.#report) return;
      this.#report = { ...this.#report, kptThr: Number(this.#threshold.value) };
      await this.#draw(this.#report);
      if (this.#media?.kind === 'photo') say(this.#summary());
    });
  }

  #look(): Look {
    return {
      kptThr: Number(this.#threshold.value),
      style: this.#style.value as Look['style'],
      labels: this.#labels.value as Labels,
    };
  }

  #summary(): string {
    if (!this.#report) return '';
    const { sample, kptThr } = this.#report;
    if (sample.predInstances?.trackIds?.data[0] === -1) return 'Nobody was found for sure; the best guess is shown.';
    const people = personCount(sample);
    const scores = sample.predInstances?.keypointScores.data ?? new Float32Array();
    const sure = scores.filter((score) => score >= kptThr).length;
    const who = people === 1 ? '1 person' : `${people} people`;
    return `${who}, ${sure} of ${scores.length} keypoints score ${kptThr.toFixed(2)} or more.`;
  }

  saveJson(model: string): void {
    if (!this.#report || !this.#media) return;
    const { name, width, height } = this.#media;
    const text = toJson(this.#report, { name, width, height }, model);
    download(new Blob([text], { type: 'application/json' }), `${baseName(name)}.keypoints.json`);
  }

  async savePng(): Promise<void> {
    if (!this.#media) return;
    download(await this.#stage.toPng(this.#media), `${baseName(this.#media.name)}.pose.png`);
  }

  onBoxes(): void {
    this.#refreshBoxButtons();
    void attempt(() => this.again());
  }

  #refreshBoxButtons(): void {
    const count = this.boxes.boxes.length;
    byId('clear-boxes', HTMLButtonElement).disabled = count === 0;
    byId('box-count', HTMLElement).textContent = [
      this.#alone.value === 'find' && this.#engine?.findsEverybody
        ? 'Everybody is found without boxes.'
        : NO_BOXES[this.#alone.value as Alone],
      'One person is marked.',
      `${count} people are marked.`,
    ][Math.min(2, count)];
  }

  #refreshSaveButtons(): void {
    for (const id of ['save-json', 'save-png']) byId(id, HTMLButtonElement).disabled = this.#report === null;
  }
}

function baseName(name: string): string {
  return name.replace(/\.[^.]+$/, '');
}
