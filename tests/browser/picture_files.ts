/** Picture files with bytes that no canvas writes: straight alpha, colour profiles, EXIF orientation. */

/** A PNG with exactly these RGBA bytes. */
export async function encodePng(
  rgba: Uint8ClampedArray,
  width: number,
  height: number,
  extra: readonly [string, Uint8Array][] = [],
): Promise<Blob> {
  const raw = new Uint8Array(height * (width * 4 + 1));
  for (let y = 0; y < height; y++) raw.set(rgba.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1);
  const packed = new Response(new Blob([raw]).stream().pipeThrough(new CompressionStream('deflate')));
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, 6], 8);
  const chunks: [string, Uint8Array][] = [
    ['IHDR', header],
    ...extra,
    ['IDAT', new Uint8Array(await packed.arrayBuffer())],
    ['IEND', new Uint8Array()],
  ];
  const parts = chunks.map(([type, body]) => pngChunk(type, body));
  return new Blob([Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), ...parts] as BlobPart[], { type: 'image/png' });
}

function pngChunk(type: string, body: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(12 + body.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(new TextEncoder().encode(type), 4);
  chunk.set(body, 8);
  view.setUint32(8 + body.length, crc32(chunk.subarray(4, 8 + body.length)));
  return chunk;
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

export function withExifOrientation(jpeg: ArrayBuffer, orientation: number): Blob {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const body = [0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff];
  const segment = [0xff, 0xe1, 0, body.length + 2, ...body];
  // In one piece: Firefox looks for the kind of a picture in the first part of a Blob only.
  const bytes = Uint8Array.of(...new Uint8Array(jpeg, 0, 2), ...segment, ...new Uint8Array(jpeg, 2));
  return new Blob([bytes], { type: 'image/jpeg' });
}
