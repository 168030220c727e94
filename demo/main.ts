/**
 * The demo page: wires buttons, drops and settings to the viewer and the model. It uses the library's public index only;
 * everything runs in this tab, and no request leaves it.
 */
import { byId } from './dom.js';
import { isVideo, sortFiles } from './files.js';
import { wireModelFinder } from './model_finder.js';
import { ModelPanel } from './model_panel.js';
import { attempt, hideError } from './notices.js';
import { Viewer } from './viewer.js';

performance.mark('inpose:script');
const viewer = new Viewer();
const models = new ModelPanel((engine) => viewer.setEngine(engine));

function onClick(id: string, action: () => Promise<void> | void): void {
  byId(id, HTMLButtonElement).addEventListener('click', () => void attempt(action));
}

function onChange(id: string, action: () => Promise<void> | void): void {
  byId(id, HTMLElement).addEventListener('change', () => void attempt(action));
}

function takeFiles(files: readonly File[]): Promise<void> {
  return attempt(async () => {
    const { media, checkpoints, configs } = sortFiles(files);
    if (media) await viewer.openFile(media, isVideo(media));
    if (checkpoints.length + configs.length > 0) await models.useFiles(checkpoints, configs);
  });
}

function wirePicker(input: HTMLInputElement, ...buttons: string[]): void {
  for (const id of buttons) byId(id, HTMLButtonElement).addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    // So that the same file can be picked again later.
    input.value = '';
    void takeFiles(files);
  });
}

/** Drops are taken anywhere on the page. `dragenter` and `dragleave` also fire for children, so the last enter decides. */
function wireDrops(): void {
  let last: EventTarget | null = null;
  const dragging = (on: boolean) => document.body.classList.toggle('dragging', on);
  document.addEventListener('dragenter', (event) => {
    last = event.target;
    if (event.dataTransfer?.types.includes('Files')) dragging(true);
  });
  document.addEventListener('dragleave', (event) => {
    if (event.target === last) dragging(false);
  });
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    dragging(false);
    void takeFiles([...(event.dataTransfer?.files ?? [])]);
  });
}

function wireBoxes(): void {
  const draw = byId('draw-box', HTMLButtonElement);
  draw.addEventListener('click', () => {
    const on = draw.getAttribute('aria-pressed') !== 'true';
    draw.setAttribute('aria-pressed', String(on));
    viewer.boxes.drawWithTouch = on;
  });
  onClick('add-box', () => viewer.boxes.addCentred());
  onClick('clear-boxes', () => {
    viewer.boxes.clear();
    viewer.onBoxes();
  });
}

function wirePlayer(): void {
  const video = byId('video', HTMLVideoElement);
  const play = byId('play', HTMLButtonElement);
  const seek = byId('seek', HTMLInputElement);
  const label = () => {
    play.textContent = video.paused ? 'Play' : 'Pause';
  };
  play.addEventListener('click', () => void (video.paused ? video.play() : video.pause()));
  video.addEventListener('play', label);
  video.addEventListener('pause', label);
  video.addEventListener('timeupdate', () => {
    if (Number.isFinite(video.duration)) seek.value = String(video.currentTime / video.duration);
  });
  seek.addEventListener('input', () => {
    if (Number.isFinite(video.duration)) video.currentTime = Number(seek.value) * video.duration;
  });
}

wirePicker(byId('media-input', HTMLInputElement), 'pick-media');
wirePicker(byId('model-input', HTMLInputElement), 'pick-model', 'pick-model-stage');
wireDrops();
wireBoxes();
wirePlayer();
wireModelFinder();
onClick('webcam', () => viewer.toggleWebcam());
onClick('sample', () => viewer.showSample());
byId('cancel', HTMLButtonElement).addEventListener('click', () => models.cancel());
onClick('use-default', () => models.useDefault());
onClick('apply-config', () => models.usePastedConfig());
onClick('forget-config', () => models.forgetConfig());
onClick('save-json', () => viewer.saveJson(models.name));
onClick('save-png', () => viewer.savePng());
byId('message-close', HTMLButtonElement).addEventListener('click', hideError);
onChange('backend', () => models.reload());
onChange('flip', () => viewer.again());
onChange('alone', () => viewer.onBoxes());
for (const id of ['skeleton-style', 'labels', 'mirror']) onChange(id, () => viewer.redraw());
byId('threshold', HTMLInputElement).addEventListener('input', () => void viewer.redraw());
void attempt(() => models.start());
void attempt(() => viewer.showSample());
