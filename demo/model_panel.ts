/** The model card: which checkpoint and config, loading with progress and cancel, and what was loaded. */
import type { BackendChoice } from 'inpose';
import { byId, make } from './dom.js';
import { AT_ONCE, knowsBetter, openEngine } from './engine.js';
import type { Engine } from './engine.js';
import { assignFiles, type ModelFile } from './model_files.js';
import { DemoError, describeError } from './messages.js';
import { say } from './notices.js';

interface Source {
  readonly checkpoint: File | null;
  readonly config: string | null;
  /** Finds everybody; null: one person is found without it. */
  readonly detector: ModelFile | null;
}

const DEFAULT: Source = { checkpoint: null, config: null, detector: null };

/** ms between the first skeleton and work that a page's visitor does not wait for. */
const REST_MS = 1000;

export class ModelPanel {
  readonly #backend = byId('backend', HTMLSelectElement);
  readonly #configText = byId('config-text', HTMLTextAreaElement);
  readonly #configDetails = byId('config-details', HTMLDetailsElement);
  readonly #onEngine: (engine: Engine) => Promise<void>;
  /** Kept, so that a config or another backend can be tried without picking the file again. */
  #checkpoint: File | null = null;
  /** What a person gives with a file or pastes wins over what is in the checkpoint. */
  #config: string | null = null;
  #detector: ModelFile | null = null;
  /** What the model in use was loaded from; a checkpoint of null is the default model. */
  #used: Source | null = null;
  #engine: Engine | null = null;
  #loading: AbortController | null = null;
  /** A load that goes on while new files are looked at: nobody wants to hear of its failure any more. */
  #silenced: AbortController | null = null;

  /** @param onEngine - takes over every model that was loaded */
  constructor(onEngine: (engine: Engine) => Promise<void>) {
    this.#onEngine = onEngine;
  }

  /** Of the model in use. */
  get name(): string {
    return this.#engine?.name ?? '';
  }

  /** The page's first model: the default one on what starts at once, and then on what is better, if anything is. */
  async start(): Promise<void> {
    const engine = await this.#load(DEFAULT, AT_ONCE);
    if (!engine) return;
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    // Somebody may have chosen something else meanwhile.
    const isCurrent = () => this.#engine === engine && !this.#loading && this.#backend.value === 'auto';
    if (isCurrent() && (await knowsBetter(engine.backend.name)) && isCurrent()) await this.reload();
  }

  /** Loads the model that comes with the library. */
  async useDefault(): Promise<void> {
    this.#checkpoint = null;
    this.#config = null;
    this.#detector = null;
    this.#configText.value = '';
    await this.load();
  }

  /** Loads the model in use once more, on the backend that is selected now; a file that failed meanwhile is forgotten. */
  async reload(): Promise<void> {
    // What is being loaded now is meant, if it is anything.
    if (this.#used && !this.#loading) {
      this.#checkpoint = this.#used.checkpoint;
      this.#config = this.#used.config;
      this.#detector = this.#used.detector;
    }
    await this.load();
  }

  /** Takes a checkpoint, a config, or both, of a pose model, of a person detector, or of both, and loads. */
  async useFiles(checkpoints: readonly File[], configs: readonly File[]): Promise<void> {
    this.#silenced = this.#loading;
    const { pose, detector, poseConfig, detectorConfig } = await assignFiles(checkpoints, configs);
    if (pose) {
      this.#checkpoint = pose.checkpoint;
      // A config belongs to the checkpoint that it came with.
      this.#config = null;
      this.#configText.value = '';
    }
    if (poseConfig !== null) {
      this.#config = poseConfig;
      this.#configText.value = poseConfig;
    }
    if (detector) this.#detector = detector;
    else if (detectorConfig !== null && this.#detector) this.#detector = { ...this.#detector, config: detectorConfig };
    if (!this.#checkpoint && !this.#detector) {
      this.#configDetails.open = true;
      throw new DemoError('A config alone is not enough', 'Now choose the checkpoint (.pth, .safetensors) it is for.');
    }
    await this.load();
  }

  async usePastedConfig(): Promise<void> {
    const text = this.#configText.value.trim();
    if (!text) throw new DemoError('No config yet', 'Paste the MMPose config as JSON into the field first.');
    this.#config = text;
    if (!this.#checkpoint) {
      throw new DemoError('No checkpoint yet', 'Choose the checkpoint first, then press "Use this config".');
    }
    await this.load();
  }

  async forgetConfig(): Promise<void> {
    this.#configText.value = '';
    if (this.#config === null) return;
    this.#config = null;
    if (this.#checkpoint) await this.load();
  }

  /** Loads what was chosen last; a load in progress is cancelled. A page without a model falls back to the default one. */
  async load(): Promise<void> {
    try {
      await this.#load({ checkpoint: this.#checkpoint, config: this.#config, detector: this.#detector });
    } catch (error) {
      // Or it would fail once more with the next pose model.
      this.#detector = this.#used?.detector ?? null;
      if (this.#checkpoint && !this.#used && !this.#loading) void this.#load(DEFAULT).catch(() => {});
      throw error;
    }
  }

  /** @returns null when it was cancelled */
  async #load(source: Source, backend = this.#backend.value as BackendChoice): Promise<Engine | null> {
    this.cancel();
    const own = (this.#loading = new AbortController());
    byId('progress', HTMLProgressElement).value = 0;
    this.#showProgress(`Opening ${source.checkpoint?.name ?? 'the default model'}`);
    try {
      const engine = await openEngine({
        ...source,
        backend,
        signal: own.signal,
        onProgress: (text, part) => {
          if (this.#loading === own) this.#showProgress(text, part);
        },
      });
      if (own.signal.aborted) {
        await engine.dispose();
        return null;
      }
      performance.mark('inpose:model');
      this.#used = source;
      this.#engine = engine;
      this.#showFacts(engine);
      this.#hideProgress(own);
      await this.#onEngine(engine);
      return engine;
    } catch (error) {
      // A newer load speaks for itself.
      if (this.#loading !== own && own.signal.aborted) return null;
      if (!this.#used) byId('no-model', HTMLElement).hidden = false;
      if (this.#silenced === own) return null;
      if (describeError(error) && /config/i.test(String(error))) this.#configDetails.open = true;
      throw error;
    } finally {
      this.#hideProgress(own);
    }
  }

  cancel(): void {
    this.#loading?.abort();
  }

  #showProgress(text: string, part?: number): void {
    byId('model-loading', HTMLElement).hidden = false;
    byId('loading-text', HTMLElement).textContent = part === undefined ? text : `${text}, ${Math.round(100 * part)} %`;
    // Without a value the bar would move by itself, which takes the processor from what is loading.
    if (part !== undefined) byId('progress', HTMLProgressElement).value = part;
    say(text, true);
  }

  #hideProgress(own: AbortController): void {
    if (this.#loading !== own) return;
    this.#loading = null;
    byId('model-loading', HTMLElement).hidden = true;
  }

  #showFacts(engine: Engine): void {
    byId('no-model', HTMLElement).hidden = true;
    byId('use-default', HTMLElement).hidden = this.#used?.checkpoint === null && this.#used.detector === null;
    const facts = byId('model-facts', HTMLElement);
    facts.hidden = false;
    facts.replaceChildren(...engine.facts.flatMap(([name, value]) => [make('dt', name), make('dd', value)]));
  }
}
