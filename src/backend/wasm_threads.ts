/**
 * Whether tfjs's wasm threads outlived the application's bundler. tfjs sends its workers the text of a function that uses
 * `_scriptDir` of the scope around it, behind `typeof _scriptDir !== 'undefined'`. A minifier sees that the variable exists and drops
 * the `typeof`; in the worker it does not exist, and every worker dies of a ReferenceError (cross-origin isolated pages only, since
 * others have no threads). Below stands the same pattern: what happened to it happened to tfjs. One thread is then the way that works.
 *
 * In the self-contained builds tfjs is repaired while bundling (`vite.wasm.ts`), and the answer is always yes.
 */

/** Same shape as tfjs's: assigned twice, so that no minifier takes it for a constant. */
const sample = /* @__PURE__ */ ((global: {
  document?: { currentScript?: { src?: string } | null };
  scriptName?: string;
}) => {
  let scriptDir = global.document?.currentScript ? global.document.currentScript.src : undefined;
  if (typeof global.scriptName !== 'undefined') scriptDir = scriptDir || global.scriptName;
  return () => {
    let folder = '';
    if (typeof scriptDir !== 'undefined' && scriptDir) folder = scriptDir;
    return folder;
  };
})(globalThis as object);

export function threadsSurviveBundling(): boolean {
  return sample.toString().includes('typeof');
}
