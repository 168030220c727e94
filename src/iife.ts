/** The script-tag build: everything of the index, as `window.inpose`. */
export * from './index.js';
