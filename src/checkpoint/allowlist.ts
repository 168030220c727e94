/**
 * The classes and functions that a checkpoint may name, and what stands for each here. Everything else is refused by name: a list
 * of what is known to be harmful would never be complete.
 */
import { CheckpointError } from '../errors.js';
import { NumpyArray, NumpyDtype, numpyFromBuffer, numpyScalar } from './numpy_pickle.js';
import { PyDict, PyLatin1, PyStub, PyText, isGlobal, type PyGlobal } from './pickle_values.js';

type Call = NonNullable<PyGlobal['call']>;

/** Classes of which inert stubs are made: training state, paths, dates. Nothing of theirs is ever looked at. */
const INERT_MODULES = /^(mmengine|mmcv|mmpose|mmdet|mmcls|mmpretrain|mmaction|mmyolo|torch\.optim)(\.|$)/;
const INERT_CLASSES: ReadonlySet<string> = new Set([
  'argparse.Namespace',
  'datetime.date',
  'datetime.datetime',
  'datetime.timedelta',
  'pathlib.Path',
  'pathlib.PosixPath',
  'pathlib.PurePosixPath',
  'pathlib.WindowsPath',
  'pathlib.PureWindowsPath',
  'torch.device',
  'torch.Generator',
  'torch.layout',
  'torch.memory_format',
  'torch.serialization._get_layout',
  'types.SimpleNamespace',
]);

const newDict: Call = () => new PyDict();
const newList: Call = ([items]) => (Array.isArray(items) ? [...items] : []);
const scalar: Call = ([value]) => (typeof value === 'number' || typeof value === 'bigint' ? value : null);

/** By `module.name`, with Python 2's module names and NumPy 2's turned into one form by `canonical`. */
const CALLS: Readonly<Record<string, Call | null>> = {
  'collections.OrderedDict': newDict,
  'collections.defaultdict': newDict,
  'collections.Counter': newDict,
  'builtins.dict': newDict,
  'mmengine.config.config.ConfigDict': newDict,
  'mmcv.utils.config.ConfigDict': newDict,
  'addict.addict.Dict': newDict,
  'easydict.EasyDict': newDict,
  'builtins.set': newList,
  'builtins.frozenset': newList,
  'builtins.list': newList,
  'builtins.tuple': newList,
  'torch.Size': newList,
  'builtins.int': scalar,
  'builtins.float': scalar,
  'builtins.bool': ([value]) => value === true,
  'builtins.str': ([value]) => (typeof value === 'string' || value instanceof PyText ? value : ''),
  'builtins.bytes': () => new Uint8Array(),
  'builtins.bytearray': ([value]) =>
    value instanceof Uint8Array || value instanceof PyLatin1 ? value : new Uint8Array(),
  'builtins.object': null,
  'builtins.type': null,
  'builtins.getattr': boundMethod,
  'copyreg._reconstructor': ([cls]) => instantiate(cls, []),
  'copyreg.__newobj__': ([cls, ...args]) => instantiate(cls, args),
  '_codecs.encode': encode,
  'numpy.ndarray': null,
  'numpy.dtype': ([code]) => new NumpyDtype(code),
  'numpy.core.multiarray._reconstruct': () => new NumpyArray(),
  'numpy.core.multiarray.scalar': numpyScalar,
  'numpy.core.numeric._frombuffer': numpyFromBuffer,
  ...Object.fromEntries(
    ['bool_', 'int8', 'int16', 'int32', 'int64', 'uint8', 'float16', 'float32', 'float64'].map((name) => [
      `numpy.${name}`,
      scalar,
    ]),
  ),
};

/**
 * The stand-in for `module.name`.
 *
 * @param torch - what the file format adds: storages, `_rebuild_tensor_v2`...
 * @throws CheckpointError for every name that is on no list
 */
export function allowedGlobal(
  module: string,
  name: string,
  where: string,
  torch: (fullName: string) => PyGlobal | undefined,
): PyGlobal {
  const fullName = canonical(`${module}.${name}`);
  const known = torch(fullName);
  if (known) return known;
  if (Object.hasOwn(CALLS, fullName)) return { kind: 'global', name: fullName, call: CALLS[fullName] ?? undefined };
  const isInert = INERT_CLASSES.has(fullName) || (INERT_MODULES.test(module) && /^[A-Za-z_]\w*$/.test(name));
  if (isInert) return { kind: 'global', name: fullName, inert: true, call: () => new PyStub(fullName) };
  throw new CheckpointError(
    `${where}: found ${JSON.stringify(fullName.slice(0, 200))}; expected only classes that weights need; the file may be an attack. If you trust it, load it in PyTorch and save its state_dict alone.`,
  );
}

function canonical(name: string): string {
  return name
    .replace(/^__builtin__\./, 'builtins.')
    .replace(/^copy_reg\./, 'copyreg.')
    .replace(/^numpy\._core\./, 'numpy.core.')
    .replace(/^torch\._tensor\.|^torch\.tensor\./, 'torch._tensor.');
}

/** `getattr(HistoryBuffer, 'mean')`, which MMEngine's training files contain: allowed on inert classes only, and as inert. */
function boundMethod([owner, name]: readonly unknown[]): PyStub {
  if (isGlobal(owner) && owner.inert && typeof name === 'string' && /^[a-z]\w*$/i.test(name)) {
    return new PyStub(`${owner.name}.${name}`);
  }
  throw new CheckpointError(
    'found a call of builtins.getattr; expected only classes that weights need; the file may be an attack.',
  );
}

function instantiate(cls: unknown, args: readonly unknown[]): unknown {
  if (isGlobal(cls) && cls.call && cls.name !== 'builtins.getattr') return cls.call(args);
  throw new CheckpointError('found an object of no known class; the file is corrupt.');
}

function encode([text, encoding]: readonly unknown[]): PyLatin1 {
  if ((typeof text === 'string' || text instanceof PyText) && /^latin-?1$/.test(String(encoding))) {
    return new PyLatin1(text);
  }
  throw new CheckpointError('found a call of _codecs.encode that is not for latin1; the file is corrupt.');
}
