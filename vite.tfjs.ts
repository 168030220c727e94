/**
 * Repairs of tfjs in the self-contained builds, which bring a copy of it to pages that may have one of their own.
 */
import type { Plugin } from 'vite';

/** Path in the package, the text that stands there, and what takes its place. */
const REPAIRS: readonly (readonly [file: string, found: string, repaired: string])[] = [
  // Ours is second: the page's platform object stays, and the page's tfjs has nothing to warn about.
  [
    '/tfjs-core/dist/platforms/platform_browser.js',
    "env().setPlatform('browser', new PlatformBrowser());",
    "if (env().platform == null) env().setPlatform('browser', new PlatformBrowser());",
  ],
  // Ours is first: the page's tfjs sets the platform on our environment object, as it should, without a warning.
  [
    '/tfjs-core/dist/environment.js',
    'if (this.platform != null) {\n            if (!(',
    'if (this.platform != null) {\n            if (false && !(',
  ],
];

/**
 * All copies of tfjs on a page share one environment object, and the second to load warns that the platform "has already been
 * set". A library prints nothing, and its page should not print because of it.
 */
export function quietTfjs(): Plugin {
  return {
    name: 'inpose:quiet-tfjs',
    transform(code, id) {
      const path = id.replaceAll('\\', '/');
      const repair = REPAIRS.find(([file]) => path.endsWith(file));
      if (!repair) return null;
      const [file, found, repaired] = repair;
      if (code.split(found).length !== 2)
        throw new Error(`quiet-tfjs: ${file} changed; see whether this is still needed.`);
      return { code: code.replace(found, repaired), map: null };
    },
  };
}
