/** Addresses as bundlers leave them: Next.js's turns `new URL('./file', import.meta.url)` into a path from the page's origin. */
import { afterEach, expect, test, vi } from 'vitest';
import { absoluteUrl, packageUrl } from '../../src/page_url.js';
import { startClassic } from '../../src/worker/start_classic.js';

afterEach(() => vi.unstubAllGlobals());

test('a path becomes an address of the page, or of the worker it is used in', () => {
  vi.stubGlobal('location', { href: 'https://shop.example/fitting/room?id=1', origin: 'https://shop.example' });
  expect(absoluteUrl('/_next/media/a.wasm')).toBe('https://shop.example/_next/media/a.wasm');
  expect(absoluteUrl('https://cdn.example/a.wasm')).toBe('https://cdn.example/a.wasm');
  vi.stubGlobal('document', { baseURI: 'https://shop.example/base/' });
  expect(absoluteUrl('a.wasm')).toBe('https://shop.example/base/a.wasm');
});

test('without a page, as while a server renders one, it stays', () => {
  expect(absoluteUrl('/_next/media/a.wasm')).toBe('/_next/media/a.wasm');
  expect(absoluteUrl('file:///package/a.wasm')).toBe('file:///package/a.wasm');
});

test.each([
  ['https://a.example/node_modules/.vite/inpose.iife.js', 'https://a.example/node_modules/inpose/dist/inpose.iife.js'],
  ['http://a/x/node_modules/.cache/vite/client/m.wasm', 'http://a/x/node_modules/inpose/dist/m.wasm'],
  ['http://a/@fs/p/node_modules/inpose/dist/m.wasm', 'http://a/@fs/p/node_modules/inpose/dist/m.wasm'],
  [
    'http://a/node_modules/.pnpm/inpose@1/node_modules/inpose/dist/m.wasm',
    'http://a/node_modules/.pnpm/inpose@1/node_modules/inpose/dist/m.wasm',
  ],
  [
    'file:///p/node_modules/.store/i/node_modules/inpose/dist/m',
    'file:///p/node_modules/.store/i/node_modules/inpose/dist/m',
  ],
  ['https://a.example/assets/m-1f2e.wasm', 'https://a.example/assets/m-1f2e.wasm'],
])("the package's file %s is at %s", (given, expected) => {
  expect(packageUrl(given)).toBe(expected);
});

test('a worker starts from a path', () => {
  vi.stubGlobal('location', { href: 'https://shop.example/fitting', origin: 'https://shop.example' });
  const Worker = vi.fn(class {});
  vi.stubGlobal('Worker', Worker);
  startClassic('/_next/media/inpose.iife.1.js');
  expect(Worker).toHaveBeenCalledExactlyOnceWith('https://shop.example/_next/media/inpose.iife.1.js', {
    name: 'inpose',
  });
});
