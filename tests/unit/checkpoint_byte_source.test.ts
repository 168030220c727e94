import { describe, expect, it, vi } from 'vitest';
import { sidecarName, type Fetch } from '../../src/checkpoint/byte_source.js';
import { MAX_STREAMED_BYTES, RANGE_BLOCK_BYTES } from '../../src/checkpoint/limits.js';
import { openByteSource } from '../../src/checkpoint/open_byte_source.js';
import { openCheckpoint } from '../../src/checkpoint/open_checkpoint.js';
import { CheckpointError, InputError } from '../../src/errors.js';

const data = Uint8Array.from({ length: 2 * RANGE_BLOCK_BYTES + 1234 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const URL_OF_FILE = 'https://models.example/a/model.pth?v=1';

/** Vitest's own comparison takes minutes for megabytes. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

interface Server {
  fetch: Fetch;
  /** `Range` headers in order; an empty string for none. */
  ranges: string[];
}

/**
 * A server of `data`; `mode` says how well it knows Range requests. It pretends that the file is too large to be wanted whole, until
 * that is asked for a second time.
 */
function server(mode: 'ranges' | 'whole' | 'hidden size' | 'refuses', sidecar?: string): Server {
  const ranges: string[] = [];
  const fetch: Fetch = async (url, init) => {
    if (url.includes('.config.json')) return new Response(sidecar ?? 'nothing', { status: sidecar ? 200 : 404 });
    const range = new Headers(init?.headers).get('range') ?? '';
    ranges.push(range);
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (mode === 'refuses' && range) return new Response(null, { status: 416 });
    if (ranges.length === 1) return new Response(data, { headers: { 'content-length': `${MAX_STREAMED_BYTES + 1}` } });
    if (mode === 'whole' || !range) return new Response(data, { headers: { 'content-length': String(data.length) } });
    const body = data.slice(Number(start), Number(end) + 1);
    const contentRange = `bytes ${start}-${end}/${data.length}`;
    return new Response(body, { status: 206, headers: mode === 'ranges' ? { 'content-range': contentRange } : {} });
  };
  return { fetch, ranges };
}

describe('openByteSource', () => {
  it.each([
    ['an ArrayBuffer', data.buffer.slice(0)],
    [
      'a typed array over part of a buffer',
      new Uint8Array([...new Uint8Array(8), ...data.subarray(0, 100)].slice()).subarray(8),
    ],
    ['a Blob', new Blob([data])],
    ['a File', new File([data], 'x.pth')],
  ])('reads %s', async (_name, source) => {
    const bytes = await openByteSource(source);
    expect(await bytes.read(3, 90)).toEqual(data.slice(3, 90));
    await expect(bytes.read(bytes.size - 1, bytes.size + 1)).rejects.toThrow(CheckpointError);
  });

  it('takes the name of a File, and refuses what holds no bytes', async () => {
    expect((await openByteSource(new File([data], 'x.pth'))).name).toBe('x.pth');
    await expect(openByteSource(17 as never)).rejects.toThrow(InputError);
    await expect(openByteSource(null as never)).rejects.toThrow(InputError);
  });

  it('reads a URL while it arrives, in one request', async () => {
    const asked: (string | null)[] = [];
    let send!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (send = controller) });
    const fetch: Fetch = async (_url, init) => {
      asked.push(new Headers(init?.headers).get('range'));
      return new Response(body, { headers: { 'content-length': '300' } });
    };
    const progress: [number, number][] = [];
    const source = await openByteSource(URL_OF_FILE, { fetch, onProgress: (...at) => progress.push(at) });
    expect(source).toMatchObject({ size: 300, name: 'https://models.example/a/model.pth' });
    send.enqueue(data.slice(0, 200));
    expect(await source.read(10, 150)).toEqual(data.slice(10, 150));
    let hasRest = false;
    const rest = source.read(150, 300).then((bytes) => [hasRest, bytes]);
    await source.read(0, 200);
    hasRest = true;
    send.enqueue(data.slice(200, 300));
    send.close();
    expect(await rest).toEqual([true, data.slice(150, 300)]);
    expect(asked).toEqual([null]);
    expect(progress).toEqual([
      [200, 300],
      [300, 300],
    ]);
    await expect(source.read(0, 301)).rejects.toThrow(/the file ends at 300/);
  });

  it('stops a download that nobody wants any more', async () => {
    let stopped = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(data.slice(0, 50)),
      cancel: () => void (stopped = true),
    });
    const fetch: Fetch = async () => new Response(body, { headers: { 'content-length': `${MAX_STREAMED_BYTES}` } });
    await expect(openCheckpoint(URL_OF_FILE, { fetch })).rejects.toThrow(CheckpointError);
    await expect.poll(() => stopped).toBe(true);
  });

  it('reads from another origin whatever the size that it tells, since the file may come compressed', async () => {
    const fetch: Fetch = async () => {
      const response = new Response(data.slice(0, 300), { headers: { 'content-length': '200' } });
      return Object.defineProperty(response, 'type', { value: 'cors' });
    };
    const source = await openByteSource(URL_OF_FILE, { fetch });
    expect(await source.read(0, source.size)).toEqual(data.slice(0, 300));
  });

  it('reads a large URL in blocks, each only once, several in one request', async () => {
    const { fetch, ranges } = server('ranges');
    const progress: number[] = [];
    const source = await openByteSource(new URL(URL_OF_FILE), { fetch, onProgress: (loaded) => progress.push(loaded) });
    expect(source.size).toBe(data.length);
    expect(source.name).toBe('https://models.example/a/model.pth');
    expect(ranges).toEqual(['', 'bytes=0-1']);
    expect(await source.read(10, 20)).toEqual(data.slice(10, 20));
    expect(await source.read(20, 30)).toEqual(data.slice(20, 30));
    expect(ranges.slice(2)).toEqual([`bytes=0-${RANGE_BLOCK_BYTES - 1}`]);
    expect(same(await source.read(5, data.length), data.slice(5))).toBe(true);
    expect(ranges.slice(3)).toEqual([`bytes=${RANGE_BLOCK_BYTES}-${data.length - 1}`]);
    expect(progress.at(-1)).toBe(data.length);
  });

  it('shares the request of concurrent reads', async () => {
    const { fetch, ranges } = server('ranges');
    const source = await openByteSource(URL_OF_FILE, { fetch });
    await Promise.all([source.read(0, 10), source.read(10, 20), source.read(20, 30)]);
    expect(ranges.length).toBe(3);
  });

  it.each(['whole', 'hidden size', 'refuses'] as const)('downloads all from a server of kind "%s"', async (mode) => {
    const { fetch, ranges } = server(mode);
    const progress: [number, number][] = [];
    const source = await openByteSource(URL_OF_FILE, { fetch, onProgress: (...at) => progress.push(at) });
    const requests = ranges.length;
    expect(same(await source.read(0, source.size), data)).toBe(true);
    expect(ranges.length).toBe(requests);
    expect(progress.at(-1)).toEqual([data.length, data.length]);
  });

  it('says what is wrong with an address', async () => {
    const missing: Fetch = async () => new Response('no', { status: 404 });
    await expect(openByteSource(URL_OF_FILE, { fetch: missing })).rejects.toThrow(/model\.pth: found HTTP status 404/);
    const offline: Fetch = async () => Promise.reject(new TypeError('fetch failed'));
    await expect(openByteSource(URL_OF_FILE, { fetch: offline })).rejects.toThrow(CheckpointError);
    await expect(openByteSource(URL_OF_FILE, { fetch: offline })).rejects.toThrow(/check the address, the connection/);
    vi.stubGlobal('location', { protocol: 'file:' });
    await expect(openByteSource(URL_OF_FILE, { fetch: offline })).rejects.toThrow(
      /opened from a disk .* serve its folder/,
    );
    vi.unstubAllGlobals();
  });

  it('notices a download that is cut off, and a file that changes', async () => {
    const short: Fetch = async () => new Response(data.slice(0, 50), { headers: { 'content-length': '100' } });
    const cut = await openByteSource(URL_OF_FILE, { fetch: short });
    expect(await cut.read(0, 50)).toEqual(data.slice(0, 50));
    for (const end of [100, 60]) await expect(cut.read(0, end)).rejects.toThrow(/found 50 bytes; expected 100/);
    const long: Fetch = async () => new Response(data.slice(0, 50), { headers: { 'content-length': '40' } });
    const grown = await openByteSource(URL_OF_FILE, { fetch: long });
    await expect(grown.read(0, 40)).rejects.toThrow(/found more than 40 bytes; expected 40/);
    let size = data.length;
    const changing: Fetch = async (_url, init) =>
      new Headers(init?.headers).has('range')
        ? new Response(data.slice(0, 1), { status: 206, headers: { 'content-range': `bytes 0-0/${size--}` } })
        : new Response(data, { headers: { 'content-length': `${MAX_STREAMED_BYTES + 1}` } });
    const source = await openByteSource(URL_OF_FILE, { fetch: changing });
    await expect(source.read(0, 10)).rejects.toThrow(/may have changed/);
  });

  it('tries a failed block again at the next read', async () => {
    const { fetch } = server('ranges');
    let fail = true;
    const flaky: Fetch = (url, init) => {
      const isBlock = /^bytes=0-\d\d/.test(new Headers(init?.headers).get('range') ?? '');
      if (isBlock && fail) return Promise.reject(new TypeError('reset'));
      return fetch(url, init);
    };
    const source = await openByteSource(URL_OF_FILE, { fetch: flaky });
    await expect(source.read(0, 10)).rejects.toThrow(CheckpointError);
    fail = false;
    expect(await source.read(0, 10)).toEqual(data.slice(0, 10));
  });

  it("rejects with the signal's own reason", async () => {
    const controller = new AbortController();
    const hanging: Fetch = (_url, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    const opening = openByteSource(URL_OF_FILE, { fetch: hanging, signal: controller.signal });
    const reason = new Error('the user left');
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await expect(openByteSource(data, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('looks for the config beside a URL, and takes no web page for one', async () => {
    const asked: string[] = [];
    const withSidecar = (text?: string): Fetch => {
      const { fetch } = server('ranges', text);
      return (url, init) => (asked.push(url), fetch(url, init));
    };
    const read = async (text?: string) => (await openByteSource(URL_OF_FILE, { fetch: withSidecar(text) })).sidecar?.();
    expect(await read('{"model": {}}')).toBe('{"model": {}}');
    expect(asked.at(-1)).toBe('https://models.example/a/model.config.json?v=1');
    expect(await read('<!doctype html>')).toBeNull();
    expect(await read()).toBeNull();
    expect(sidecarName('a.b/net.v2.safetensors')).toBe('a.b/net.v2.config.json');
  });
});
