/**
 * MMEngine's registries as maps from `type` to a *lazy loader*: one line per class, one chunk per class in the ES build, and
 * nothing registered by import side effect. An application adds its own classes with `register`, without a fork.
 */
import { didYouMean } from './config.js';
import { ConfigError } from './errors.js';

/** Brings the class (or other entry) when it is first needed. */
export type Loader<T> = () => Promise<T> | T;

/** A named collection of lazily loaded classes, such as BACKBONES or KEYPOINT_CODECS. */
export class Registry<T> {
  readonly name: string;
  readonly #loaders: Map<string, Loader<T>>;

  constructor(name: string, loaders: Readonly<Record<string, Loader<T>>> = {}) {
    this.name = name;
    this.#loaders = new Map(Object.entries(loaders));
  }

  /**
   * Adds an entry of the application's own.
   *
   * @throws ConfigError when the name is taken, unless `force` is set
   */
  register(type: string, loader: Loader<T>, options: { force?: boolean } = {}): void {
    if (this.#loaders.has(type) && !options.force) {
      throw new ConfigError(
        `${this.name}.register: "${type}" is registered already; pass { force: true } to replace it.`,
      );
    }
    this.#loaders.set(type, loader);
  }

  /** Whether `type` (with or without a scope such as `mmdet.`) has an entry. */
  has(type: string): boolean {
    return this.#loaders.has(stripScope(type));
  }

  /** Names of all entries, in order of registration. */
  types(): string[] {
    return [...this.#loaders.keys()];
  }

  /**
   * Loads the entry of `type`; a scope (`mmdet.CSPNeXt`, `mmpose.models.HRNet`) is stripped.
   *
   * @param where - path in the config, for the message: `model.head.decoder.type`
   * @throws ConfigError with the nearest known name
   */
  async get(type: unknown, where: string): Promise<T> {
    if (typeof type !== 'string') {
      throw new ConfigError(
        `${where}: found ${JSON.stringify(type) ?? 'nothing'}; expected the name of a class in ${this.name}.`,
      );
    }
    const name = stripScope(type);
    const loader = this.#loaders.get(name);
    if (!loader) {
      throw new ConfigError(
        `${where}: "${type}" is not in ${this.name}.${didYouMean(name, this.types())} Register it, or use one of ${this.types().join(', ')}.`,
      );
    }
    return loader();
  }
}

/** MMEngine writes `scope.Class`; only the class name counts here. */
export function stripScope(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}
