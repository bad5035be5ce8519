/** WireGuard, which other kernels lack, through the life of a node; a usual run has the half that backend-ipip.test.ts leaves. */
import { IS_SOAK } from '#testing/soak.ts';
import { cellsOf } from '../backends/cell.ts';
import { describeCells } from '../backends/matrix.ts';
import { WIREGUARD, WIREGUARD_AUTO } from '../backends/rows.ts';
import { halfOf, SITUATIONS } from '../backends/situations.ts';

describeCells(
  [
    ...cellsOf([WIREGUARD], { first: 'etcd' }),
    ...(IS_SOAK ? cellsOf([WIREGUARD_AUTO], { soakFamilies: ['dual stack'] }) : []),
  ],
  IS_SOAK ? SITUATIONS : halfOf(SITUATIONS, 1),
);
