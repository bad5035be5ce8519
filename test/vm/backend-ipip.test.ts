/** IP in IP, which other kernels lack, through the life of a node: the situations of the other backends (test/e2e/backend-matrix.test.ts). */
import { IS_SOAK } from '#testing/soak.ts';
import { cellsOf } from '../backends/cell.ts';
import { describeCells } from '../backends/matrix.ts';
import { IPIP, IPIP_DIRECT } from '../backends/rows.ts';
import { TWO_NETWORKS } from '../backends/situations.ts';

describeCells(
  [
    ...cellsOf([IPIP], { first: 'API server' }),
    ...(IS_SOAK ? cellsOf([IPIP_DIRECT], { soakFamilies: ['dual stack'] }) : []),
  ],
  // Four more processes of Node: too much for the emulated processor in a usual run.
  IS_SOAK ? [] : [TWO_NETWORKS],
);
