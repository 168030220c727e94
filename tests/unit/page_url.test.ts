/** Addresses as bundlers leave them: Next.js's turns `new URL('./file', import.meta.url)` into a path from the page's origin. */
import { afterEach, expect, test, vi } from 'vitest';
import { absoluteUrl } from '../../src/page_url.js';
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

test('a worker starts from a path', () => {
  vi.stubGlobal('location', { href: 'https://shop.example/fitting', origin: 'https://shop.example' });
  const Worker = vi.fn(class {});
  vi.stubGlobal('Worker', Worker);
  startClassic('/_next/media/inpose.iife.1.js');
  expect(Worker).toHaveBeenCalledExactlyOnceWith('https://shop.example/_next/media/inpose.iife.1.js', {
    name: 'inpose',
  });
});
