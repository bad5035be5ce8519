/**
 * IP in IP, which other kernels lack, through the life of a node: the situations of the other backends (test/e2e/backend-matrix.test.ts). On
 * an emulated processor they take minutes: a usual run has one half of them, backend-wireguard.test.ts the other.
 */
import { IS_SOAK } from '#testing/soak.ts';
import { cellsOf } from '../backends/cell.ts';
import { describeCells } from '../backends/matrix.ts';
import { IPIP, IPIP_DIRECT } from '../backends/rows.ts';
import { halfOf, SITUATIONS } from '../backends/situations.ts';

describeCells(
  [
    ...cellsOf([IPIP], { first: 'API server' }),
    ...(IS_SOAK ? cellsOf([IPIP_DIRECT], { soakFamilies: ['dual stack'] }) : []),
  ],
  IS_SOAK ? SITUATIONS : halfOf(SITUATIONS, 0),
);
