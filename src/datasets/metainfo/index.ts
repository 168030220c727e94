/**
 * All of MMPose's dataset meta-info, loaded only when asked for, and which dataset class uses which. An application adds its own
 * with `DATASET_METAINFO.register('my_dataset', () => info)`.
 */
import { Registry, stripScope } from '../../registry.js';
import { parsePoseMetainfo } from '../utils.js';
import type { DatasetInfo, PoseMetaInfo } from './types.js';

/** Meta-info by the name of MMPose's config file: `coco`, `halpe26`, ... */
export const DATASET_METAINFO: Registry<DatasetInfo> = /* @__PURE__ */ new Registry<DatasetInfo>('DATASET_METAINFO', {
  '300vw': () => import('./300vw.js').then((m) => m.dataset300vw),
  '300w': () => import('./300w.js').then((m) => m.dataset300w),
  '300wlp': () => import('./300wlp.js').then((m) => m.dataset300wlp),
  aflw: () => import('./aflw.js').then((m) => m.aflw),
  aic: () => import('./aic.js').then((m) => m.aic),
  ak: () => import('./ak.js').then((m) => m.ak),
  animalpose: () => import('./animalpose.js').then((m) => m.animalpose),
  ap10k: () => import('./ap10k.js').then((m) => m.ap10k),
  atrw: () => import('./atrw.js').then((m) => m.atrw),
  campus: () => import('./campus.js').then((m) => m.campus),
  coco: () => import('./coco.js').then((m) => m.coco),
  coco_aic: () => import('./coco_aic.js').then((m) => m.cocoAic),
  coco_openpose: () => import('./coco_openpose.js').then((m) => m.cocoOpenpose),
  coco_wholebody: () => import('./coco_wholebody.js').then((m) => m.cocoWholebody),
  coco_wholebody_face: () => import('./coco_wholebody_face.js').then((m) => m.cocoWholebodyFace),
  coco_wholebody_hand: () => import('./coco_wholebody_hand.js').then((m) => m.cocoWholebodyHand),
  coco_wholebody_openpose: () => import('./coco_wholebody_openpose.js').then((m) => m.cocoWholebodyOpenpose),
  cofw: () => import('./cofw.js').then((m) => m.cofw),
  crowdpose: () => import('./crowdpose.js').then((m) => m.crowdpose),
  deepfashion2: () => import('./deepfashion2.js').then((m) => m.deepfashion2),
  deepfashion_full: () => import('./deepfashion_full.js').then((m) => m.deepfashionFull),
  deepfashion_lower: () => import('./deepfashion_lower.js').then((m) => m.deepfashionLower),
  deepfashion_upper: () => import('./deepfashion_upper.js').then((m) => m.deepfashionUpper),
  exlpose: () => import('./exlpose.js').then((m) => m.exlpose),
  fly: () => import('./fly.js').then((m) => m.fly),
  freihand2d: () => import('./freihand2d.js').then((m) => m.freihand2d),
  h36m: () => import('./h36m.js').then((m) => m.h36m),
  h3wb: () => import('./h3wb.js').then((m) => m.h3wb),
  halpe: () => import('./halpe.js').then((m) => m.halpe),
  halpe26: () => import('./halpe26.js').then((m) => m.halpe26),
  horse10: () => import('./horse10.js').then((m) => m.horse10),
  humanart: () => import('./humanart.js').then((m) => m.humanart),
  humanart21: () => import('./humanart21.js').then((m) => m.humanart21),
  humanart_aic: () => import('./humanart_aic.js').then((m) => m.humanartAic),
  interhand2d: () => import('./interhand2d.js').then((m) => m.interhand2d),
  interhand3d: () => import('./interhand3d.js').then((m) => m.interhand3d),
  jhmdb: () => import('./jhmdb.js').then((m) => m.jhmdb),
  lapa: () => import('./lapa.js').then((m) => m.lapa),
  locust: () => import('./locust.js').then((m) => m.locust),
  macaque: () => import('./macaque.js').then((m) => m.macaque),
  mhp: () => import('./mhp.js').then((m) => m.mhp),
  mpi_inf_3dhp: () => import('./mpi_inf_3dhp.js').then((m) => m.mpiInf3dhp),
  mpii: () => import('./mpii.js').then((m) => m.mpii),
  mpii_trb: () => import('./mpii_trb.js').then((m) => m.mpiiTrb),
  ochuman: () => import('./ochuman.js').then((m) => m.ochuman),
  onehand10k: () => import('./onehand10k.js').then((m) => m.onehand10k),
  panoptic_body3d: () => import('./panoptic_body3d.js').then((m) => m.panopticBody3d),
  panoptic_hand2d: () => import('./panoptic_hand2d.js').then((m) => m.panopticHand2d),
  posetrack18: () => import('./posetrack18.js').then((m) => m.posetrack18),
  rhd2d: () => import('./rhd2d.js').then((m) => m.rhd2d),
  shelf: () => import('./shelf.js').then((m) => m.shelf),
  ubody2d: () => import('./ubody2d.js').then((m) => m.ubody2d),
  ubody3d: () => import('./ubody3d.js').then((m) => m.ubody3d),
  wflw: () => import('./wflw.js').then((m) => m.wflw),
  zebra: () => import('./zebra.js').then((m) => m.zebra),
});

/** MMPose's dataset classes (`METAINFO`) and the meta-info they use. `DeepFashionDataset` depends on its `subset`. */
export const DATASET_TYPE_TO_METAINFO: Readonly<Record<string, string>> = {
  AFLWDataset: 'aflw',
  ATRWDataset: 'atrw',
  AP10KDataset: 'ap10k',
  AicDataset: 'aic',
  AnimalKingdomDataset: 'ak',
  AnimalPoseDataset: 'animalpose',
  COFWDataset: 'cofw',
  CocoDataset: 'coco',
  CocoWholeBodyDataset: 'coco_wholebody',
  CocoWholeBodyFaceDataset: 'coco_wholebody_face',
  CocoWholeBodyHandDataset: 'coco_wholebody_hand',
  CrowdPoseDataset: 'crowdpose',
  DeepFashion2Dataset: 'deepfashion2',
  ExlposeDataset: 'exlpose',
  Face300VWDataset: '300vw',
  Face300WDataset: '300w',
  Face300WLPDataset: '300wlp',
  FlyDataset: 'fly',
  FreiHandDataset: 'freihand2d',
  H36MWholeBodyDataset: 'h3wb',
  HalpeDataset: 'halpe',
  Horse10Dataset: 'horse10',
  Human36mDataset: 'h36m',
  HumanArt21Dataset: 'humanart21',
  HumanArtDataset: 'humanart',
  InterHand2DDoubleDataset: 'interhand3d',
  InterHand3DDataset: 'interhand3d',
  JhmdbDataset: 'jhmdb',
  LapaDataset: 'lapa',
  LocustDataset: 'locust',
  MacaqueDataset: 'macaque',
  MhpDataset: 'mhp',
  MpiiDataset: 'mpii',
  MpiiTrbDataset: 'mpii_trb',
  OCHumanDataset: 'ochuman',
  OneHand10KDataset: 'onehand10k',
  PanopticHand2DDataset: 'panoptic_hand2d',
  PoseTrack18Dataset: 'posetrack18',
  PoseTrack18VideoDataset: 'posetrack18',
  Rhd2DDataset: 'rhd2d',
  UBody2dDataset: 'ubody2d',
  UBody3dDataset: 'ubody3d',
  WFLWDataset: 'wflw',
  ZebraDataset: 'zebra',
};

/**
 * The name in DATASET_METAINFO of a dataset's config node: by its `metainfo` key where it has one, else by its `type`.
 *
 * @param dataset - `{ type: 'CocoDataset', ... }` as in MMPose's `test_dataloader.dataset`, or only the type
 * @returns undefined for a type that MMPose does not know
 */
export function datasetTypeToMetainfo(dataset: string | Readonly<Record<string, unknown>>): string | undefined {
  const config: Readonly<Record<string, unknown>> = typeof dataset === 'string' ? { type: dataset } : dataset;
  const metainfo = config['metainfo'] as { from_file?: unknown } | undefined;
  if (typeof metainfo?.from_file === 'string') return metainfoNameOfFile(metainfo.from_file);
  const type = stripScope(String(config['type']));
  if (type === 'DeepFashionDataset') return `deepfashion_${String(config['subset'] || 'full')}`;
  return Object.hasOwn(DATASET_TYPE_TO_METAINFO, type) ? DATASET_TYPE_TO_METAINFO[type] : undefined;
}

/** `configs/_base_/datasets/coco.py` names `coco`. */
export function metainfoNameOfFile(file: string): string {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1).replace(/\.py$/, '');
}

/**
 * Loads and parses the meta-info of a name (`coco`), an object of the application's own, or MMPose's `{ from_file: '...coco.py' }`.
 *
 * @throws ConfigError for an unknown name, with the nearest known one
 */
export async function loadPoseMetainfo(
  source: string | DatasetInfo | { readonly from_file: string },
  where = 'metainfo',
): Promise<PoseMetaInfo> {
  if (typeof source === 'object' && !('from_file' in source)) return parsePoseMetainfo(source);
  const name = typeof source === 'string' ? source : metainfoNameOfFile(String(source.from_file));
  return parsePoseMetainfo(await DATASET_METAINFO.get(name, where));
}
