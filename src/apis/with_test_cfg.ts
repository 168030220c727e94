/** Per-call options of the test configuration, for the length of a synchronous section. */
import type { BasePoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';

/** Runs a synchronous section with another test configuration. */
export function withTestCfg<T>(estimator: BasePoseEstimator, testCfg: TestCfg, section: () => T): T {
  const before = estimator.testCfg;
  estimator.testCfg = testCfg;
  try {
    return section();
  } finally {
    estimator.testCfg = before;
  }
}
