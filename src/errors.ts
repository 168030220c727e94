/**
 * The library's errors. A message reads *where: found; expected; do this.*, so that it helps without the stack trace.
 */

/** What kind of thing went wrong; the same words as the subclasses' names. */
export type InposeErrorCode = 'ConfigError' | 'CheckpointError' | 'BackendError' | 'InputError';

/** Base of every error that the library throws on purpose. Aborts are the exception: they reject with the signal's own reason. */
export class InposeError extends Error {
  readonly code: InposeErrorCode;

  constructor(code: InposeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = code;
    this.code = code;
  }
}

/** A config, option or registry name is wrong. */
export class ConfigError extends InposeError {
  constructor(message: string, options?: ErrorOptions) {
    super('ConfigError', message, options);
  }
}

/** A weights file is malformed, hostile, or does not fit the model. */
export class CheckpointError extends InposeError {
  constructor(message: string, options?: ErrorOptions) {
    super('CheckpointError', message, options);
  }
}

/** A tfjs backend is missing, computes wrong numbers, or lost its device. */
export class BackendError extends InposeError {
  constructor(message: string, options?: ErrorOptions) {
    super('BackendError', message, options);
  }
}

/** A picture, box or array handed to a function is unusable. */
export class InputError extends InposeError {
  constructor(message: string, options?: ErrorOptions) {
    super('InputError', message, options);
  }
}
