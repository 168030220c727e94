/**
 * Every limit that a weights file meets, with its unit and its reason. Files come from strangers: a refused file is a typed error
 * within a second and within 256 MB of memory.
 */
const KiB = 1024;
const MiB = 1024 * KiB;

/** Entries of a zip archive: PyTorch writes one per storage; the largest MMPose files have about 4000. */
export const MAX_ZIP_ENTRIES = 100_000;
/** Bytes of a zip's central directory: 100 000 entries of about 150 bytes. */
export const MAX_ZIP_DIRECTORY_BYTES = 16 * MiB;
/** Bytes up to which a deflated record may inflate at any ratio (zeros compress a thousandfold). */
export const MAX_FREE_INFLATED_BYTES = 8 * MiB;
/** Above that, how many times its compressed size a record may have: trained weights reach about 1.1. */
export const MAX_INFLATE_RATIO = 50;

/** Bytes of one pickle. Long training runs keep their loss histories there, tens of MB of them. */
export const MAX_PICKLE_BYTES = 128 * MiB;
/** Instructions of one pickle, read in a few tenths of a second; large training files have some hundred thousand. */
export const MAX_PICKLE_OPCODES = 4_000_000;
/** Estimated bytes of memory of the objects that a pickle makes; `}` makes a dict from one byte. */
export const MAX_PICKLE_MEMORY_BYTES = 48 * MiB;
/** Strings above this many bytes stay undecoded until somebody reads them: old numpy arrays are pickled as text. */
export const LAZY_STRING_BYTES = 1 * KiB;
/** Bytes of one integer or one text line of a pickle. */
export const MAX_PICKLE_NUMBER_BYTES = 256;
export const MAX_PICKLE_LINE_BYTES = 4 * KiB;

/** Dimensions of a tensor, as in PyTorch. */
export const MAX_TENSOR_DIMS = 64;
/** Elements of a view with more elements than its storage (`expand` repeats them with stride 0). */
export const MAX_EXPANDED_ELEMENTS = 1 << 20;

/** Values and levels of `meta` when it is turned into plain objects. */
export const MAX_META_VALUES = 500_000;
export const MAX_META_DEPTH = 64;

/** Bytes of a safetensors header: 10 000 tensors of about 150 bytes, a config, and room. */
export const MAX_SAFETENSORS_HEADER_BYTES = 8 * MiB;

/** Characters and nesting levels of a config written in Python. */
export const MAX_CONFIG_CHARACTERS = 4 * MiB;
export const MAX_CONFIG_DEPTH = 100;

/** Remote files are read and kept in blocks of this many bytes, this many at a time. */
export const RANGE_BLOCK_BYTES = 4 * MiB;
export const RANGE_BLOCKS_KEPT = 16;
export const RANGE_BLOCKS_PER_REQUEST = 4;
/** Remote files up to here are read in one request and kept whole; so much is kept of larger ones, too. */
export const MAX_STREAMED_BYTES = RANGE_BLOCKS_KEPT * RANGE_BLOCK_BYTES;
