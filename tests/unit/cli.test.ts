import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findModel } from '../../src/apis/zoo.js';
import { encodeModelMetadata, encodeSafetensors, openCheckpoint } from '../../src/checkpoint/index.js';
import { convert } from '../../src/cli/convert.js';
import { download } from '../../src/cli/download.js';
import { FileSource } from '../../src/cli/file_source.js';
import { createProgram } from '../../src/cli/program.js';
import { InputError } from '../../src/errors.js';
import { CASES as RTMDETS, detectorWeights } from '../support/rtmdet.js';
import { fixture, fixturePath } from './checkpoint_files.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inpose-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a command line and gives what it printed. */
async function run(args: readonly string[], isTTY = false): Promise<{ out: string; err: string }> {
  const [out, err] = [new PassThrough(), Object.assign(new PassThrough(), { isTTY })];
  const program = createProgram(out, err);
  for (const command of [program, ...program.commands]) command.exitOverride();
  await program.parseAsync(['node', 'inpose', ...args]);
  return { out: String(out.read() ?? ''), err: String(err.read() ?? '') };
}

describe('inpose inspect', () => {
  it('lists weights, meta and config', async () => {
    const { out } = await run(['inspect', fixturePath('mmpose1x_published.pth')]);
    expect(out).toContain('state_dict: 8 tensors');
    expect(out).toMatch(/backbone\.conv1\.weight +float32 +\[8, 3, 3, 3\]/);
    expect(out).toContain('experiment_name: td-hm_tiny_20230222_143000');
    expect(out).toContain('dataset meta-info: coco, 17 keypoints');
    expect(out).toContain('config: from meta.cfg: TopdownPoseEstimator, HRNet');
  });

  it('prints JSON', async () => {
    const { out } = await run(['inspect', fixturePath('training_with_ema.pth'), '--json']);
    const report = JSON.parse(out);
    expect(report.tensors[0]).toEqual({ key: 'backbone.conv1.weight', dtype: 'float32', shape: [8, 3, 3, 3] });
    expect(report.dataset_meta.keypoint_colors.data).toHaveLength(51);
    expect(report).toMatchObject({ format: 'pth', state_dict_path: ['state_dict'], config_origin: 'meta.cfg' });
  });

  it('fails in one line', async () => {
    await expect(run(['inspect', join(folder, 'no.pth')])).rejects.toThrow(InputError);
    await expect(run(['inspect', folder])).rejects.toThrow(/not a file/);
    await expect(run(['inspect', fixturePath('bad_global_eval.pth')])).rejects.toThrow(/^[^\n]+builtins\.eval[^\n]+$/);
  });
});

describe('inpose inspect --graph', () => {
  const model = fileURLToPath(new URL('../../models/inpose-default.safetensors', import.meta.url));

  it('prints what the forward pass does, and draws it', async () => {
    const svg = join(folder, 'graph.svg');
    const { out } = await run(['inspect', model, '--graph', '--batch', '2', '--graph-svg', svg]);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^inputs %0 \[2, 256, 192, 3\]$/);
    expect(lines[1]).toMatch(/= Concat|= Reverse|= FusedConv2D/);
    expect(lines.at(-1)).toMatch(/^outputs %\d+/);
    const drawn = await readFile(svg, 'utf8');
    expect(drawn.startsWith('<svg')).toBe(true);
    expect(drawn.match(/<rect /g)!.length).toBe(lines.length - 1);
  });

  it('prints what a detector does', async () => {
    const [c] = RTMDETS;
    const { stateDict } = await openCheckpoint(await detectorWeights(c));
    const metadata = encodeModelMetadata({ config: c.config, datasetMeta: null, versions: new Map(), stateDict });
    const file = join(folder, 'rtmdet.safetensors');
    await writeFile(file, await encodeSafetensors(stateDict, { metadata }));
    const { out } = await run(['inspect', file, '--graph']);
    expect(out).toMatch(/^inputs %0 \[1, 64, 64, 3\]$/m);
    // 64 + 16 + 4 points of three classes and four sides.
    expect(out).toMatch(/\[1, 84, 7\] = Concat/);
  });

  it('prints the compiled form, which is shorter', async () => {
    const raw = await run(['inspect', model, '--graph']);
    const { out } = await run(['inspect', model, '--graph', '--optimized']);
    expect(out.split('\n').length).toBeLessThan(raw.out.split('\n').length / 1.5);
    expect(out).toContain(' = Conv(');
    expect(out).not.toContain('FusedConv2D');
  });

  it('says what is wrong', async () => {
    await expect(run(['inspect', fixturePath('dtypes.pth'), '--graph'])).rejects.toThrow(/found no config/);
    await expect(run(['inspect', model, '--graph', '--batch', '0'])).rejects.toThrow(/above 0/);
  });
});

describe('inpose list', () => {
  it('shows the models that have all the words, with size and accuracy', async () => {
    const { out } = await run(['list', 'RTMPose-t', 'coco', '420e_coco']);
    expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['NAME', 'TASK', 'POINTS', 'INPUT', 'FP16', 'RESULT'],
      ['rtmpose-t_8xb256-420e_coco-256x192', 'body 2d', '17', '256x192', '6.7 MB', 'AP 0.682 (COCO)'],
      [''],
    ]);
    expect((await run(['list'])).out.trimEnd().split('\n')).toHaveLength(365);
    expect((await run(['list', 'hrnet', 'octopus'])).out).toMatch(/^none of .* has hrnet and octopus in its name/);
  });

  it('prints JSON', async () => {
    const [model] = JSON.parse((await run(['list', '--json', 'human3d'])).out);
    expect(model).toMatchObject({ aliases: ['human3d'], config: { model: { type: 'PoseLifter' } } });
  });
});

describe('inpose pull', () => {
  /** One of the two whose file names have no hash: a file of ours can stand for it. */
  const NAME = 'edpose_res50_8xb2-50e_coco-800x1333';

  function answering(answer: (url: string) => Response): string[] {
    const asked: string[] = [];
    vi.stubGlobal('fetch', (url: string) => {
      asked.push(url);
      return Promise.resolve(answer(url));
    });
    return asked;
  }
  afterEach(() => vi.unstubAllGlobals());

  it('downloads the weights and adds the config', async () => {
    const { weights, config } = await findModel(NAME);
    const asked = answering(() => new Response(fixture('plain_state_dict.pth')));
    const output = join(folder, 'pulled.safetensors');
    const { out } = await run(['pull', 'edpose', '-o', output, '--fp16']);
    expect(asked).toEqual([weights]);
    expect(out).toMatch(/pulled\.safetensors: 8 tensors, float16, .*, config from explicit/);
    const pulled = await openCheckpoint(await readFile(output));
    expect(pulled.config).toEqual(config);
    expect(await readdir(folder)).not.toContain('pulled.safetensors.download');
  });

  it.each<[string, () => Response, RegExp]>([
    ['a server that refuses', () => new Response('no', { status: 403 }), /the server answered 403/],
    [
      'a damaged file',
      () => new Response(fixture('plain_state_dict.pth')),
      /found SHA-256 [0-9a-f]{8}\.\.\., expected/,
    ],
    ['a page', () => new Response('<html>'), /found SHA-256/],
    [
      'a file that is cut off',
      () => new Response('half', { headers: { 'content-length': '8' } }),
      /found 4 bytes of 8; download it again/,
    ],
    ['no network', () => Response.error(), /the server answered 0|could not be fetched/],
  ])('%s leaves nothing behind', async (_, answer, message) => {
    answering(answer);
    const output = join(folder, 'none.safetensors');
    await expect(run(['pull', 'human', '-o', output])).rejects.toThrow(message);
    expect((await readdir(folder)).filter((name) => name.startsWith('none'))).toEqual([]);
  });

  it('checks the hash in the name', async () => {
    const bytes = fixture('plain_state_dict.pth');
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
    answering(() => new Response(bytes));
    const path = join(folder, 'whole.pth');
    const seen: number[] = [];
    const onProgress = (loaded: number) => seen.push(loaded);
    await download(`https://example.org/net-${hash}_20260101.pth`, path, { onProgress });
    expect(await readFile(path)).toEqual(Buffer.from(bytes));
    expect(seen.at(-1)).toBe(bytes.length);
  });

  it('does not know every name', async () => {
    const asked = answering(() => new Response());
    await expect(run(['pull', 'humans'])).rejects.toThrow(/"humans" is not a published model\. Did you mean "human"\?/);
    expect(asked).toEqual([]);
  });
});

describe('inpose convert', () => {
  it('takes the config of a published model, by the file or by --model', async () => {
    const { weights, config } = await findModel('human');
    const input = join(folder, basename(weights));
    await writeFile(input, fixture('plain_state_dict.pth'));
    const output = join(folder, 'published.safetensors');
    expect((await run(['convert', input, '-o', output])).out).toContain('config from published');
    expect((await openCheckpoint(await readFile(output))).config).toEqual(config);
    const other = await findModel('face');
    await run(['convert', input, '-o', output, '--model', 'face']);
    expect((await openCheckpoint(await readFile(output))).config).toEqual(other.config);
    await expect(run(['convert', input, '-o', output, '--model', 'face', '--config', input])).rejects.toThrow(
      InputError,
    );
  });

  it('puts weights, config and meta-info into one file', async () => {
    const output = join(folder, 'a.safetensors');
    const { out, err } = await run(['convert', fixturePath('mmpose1x_published.pth'), '-o', output]);
    expect(out).toContain('8 tensors, float32');
    expect(err).toBe('');
    const from = await openCheckpoint(fixture('mmpose1x_published.pth'));
    const to = await openCheckpoint(await readFile(output));
    expect(to).toMatchObject({ format: 'safetensors', config: from.config, datasetMeta: from.datasetMeta });
    for (const [key, tensor] of from.stateDict) {
      expect(await to.stateDict.get(key)!.read()).toEqual(await tensor.read());
    }
  });

  it('halves with --fp16, takes --config, and finds a sidecar', async () => {
    const input = join(folder, 'b.pth');
    await writeFile(input, fixture('plain_state_dict.pth'));
    await writeFile(join(folder, 'b.config.json'), '{"model": {"type": "Beside"}}');
    await writeFile(join(folder, 'other.py'), "model = dict(type='Given')");
    const output = join(folder, 'b.safetensors');
    await run(['convert', input, '-o', output, '--fp16']);
    const beside = await openCheckpoint(await readFile(output));
    expect(beside.config).toEqual({ model: { type: 'Beside' } });
    expect(beside.stateDict.get('backbone.conv1.weight')!.dtype).toBe('float16');
    await run(['convert', input, '-o', output, '--config', join(folder, 'other.py')]);
    expect((await openCheckpoint(await readFile(output))).config).toEqual({ model: { type: 'Given' } });
  });

  it('notes a missing config', async () => {
    const output = join(folder, 'c.safetensors');
    const { err } = await run(['convert', fixturePath('deflated_zip.pth'), '-o', output]);
    expect(err).toMatch(/^inpose: note: no config was found/);
  });

  it('draws its bar on a terminal only', async () => {
    const args = ['convert', fixturePath('mmpose1x_published.pth'), '-o', join(folder, 'd.safetensors')];
    expect((await run(args, true)).err).toContain('converting');
    expect((await run(args, false)).err).toBe('');
  });

  it('leaves nothing behind when it fails, and never overwrites its input', async () => {
    const output = join(folder, 'e.safetensors');
    await expect(convert(fixturePath('bad_bad_crc.pth'), { output })).rejects.toThrow(/checksum/);
    await expect(convert(fixturePath('dtypes.pth'), { output, signal: AbortSignal.abort() })).rejects.toThrow();
    expect((await readdir(folder)).filter((name) => name.startsWith('e.'))).toEqual([]);
    const input = join(folder, 'a.safetensors');
    await expect(convert(input, { output: input })).rejects.toThrow(/the file to convert/);
    await expect(convert(input, { output: join(folder, 'no', 'x') })).rejects.toThrow(InputError);
  });

  it('reads files in pieces', async () => {
    const source = await FileSource.open(fixturePath('dtypes.pth'));
    expect(await source.read(0, 2)).toEqual(new Uint8Array([0x50, 0x4b]));
    await expect(source.read(0, source.size + 1)).rejects.toThrow(/truncated/);
    await source.close();
  });
});
