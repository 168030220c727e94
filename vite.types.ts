/** The last step of the build: makes the emitted declarations fit for every consumer. Run by `npm run build:types`. */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const types = path('dist/types');

// tfjs's own declarations do not check beside TypeScript's DOM library; see the file.
copyFileSync(path('src/tf_public_types.d.ts'), join(types, 'tf.d.ts'));

for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
  if (!name.endsWith('.d.ts')) continue;
  const file = join(types, name);
  const text = readFileSync(file, 'utf8');
  const plain = withoutArrayGenerics(text);
  if (plain !== text) writeFileSync(file, plain);
}

/**
 * Typed arrays became generic in TypeScript 5.7; older ones do not know `Uint8Array<ArrayBuffer>`. What `slice` returns is that very
 * type in new ones and `Uint8Array` in old ones.
 */
function withoutArrayGenerics(text: string): string {
  return text
    .replaceAll(/\b(\w+Array)<ArrayBufferLike>/g, '$1')
    .replaceAll(/\b(\w+Array)<ArrayBuffer>/g, "ReturnType<$1['slice']>");
}
