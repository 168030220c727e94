/**
 * Shaders are most of the self-contained builds, tfjs's more than ours, and minifiers leave the text in their strings alone. What
 * GLSL and WGSL do not look at goes here: indentation and empty lines.
 */
import type { Plugin } from 'vite';

/** Outside of strings a minified file has no line that begins with a space, and none is part of a message. */
export function dropIndentation(): Plugin {
  return {
    name: 'inpose:drop-indentation',
    enforce: 'post',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk') file.code = file.code.replace(/\n\s+/g, '\n');
      }
    },
  };
}
